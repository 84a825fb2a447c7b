"""Reading a cloud assembly."""

import json
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.template import Assembly, AssemblyError, Reference


def resource(type: str, path: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type, "Properties": properties, "Metadata": {"aws:cdk:path": f"{path}/Resource"}}


@pytest.fixture
def assembly(tmp_path: Path) -> Assembly:
    stage = tmp_path / "assembly-local"
    stage.mkdir()
    stacks = {
        "Data": {
            "Resources": {
                "Queue1": resource("AWS::SQS::Queue", "local/Data/Orders/Queue"),
                "Queue2": resource("AWS::SQS::Queue", "local/Data/Orders/DeadLetterQueue"),
            },
            "Outputs": {"Out": {"Value": {"Fn::GetAtt": ["Queue1", "Arn"]}, "Export": {"Name": "orders-arn"}}},
        },
        "Workers": {
            "Resources": {
                "Rule": resource("AWS::Events::Rule", "local/Workers/Rule", Arn={"Fn::ImportValue": "orders-arn"})
            }
        },
    }
    artifacts = {
        name: {
            "type": "aws:cloudformation:stack",
            "environment": "aws://1/eu",
            "properties": {"templateFile": f"{name}.json", "stackName": f"local-{name}"},
        }
        for name in stacks
    }
    for name, template in stacks.items():
        (stage / f"{name}.json").write_text(json.dumps(template))
    (stage / "manifest.json").write_text(json.dumps({"artifacts": {**artifacts, "T": {"type": "cdk:tree"}}}))
    nested = {"local": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-local"}}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": nested}))
    return Assembly.load(tmp_path)


def test_the_stacks_of_stages_are_read(assembly: Assembly) -> None:
    assert [stack.name for stack in assembly.stacks] == ["local-Data", "local-Workers"]
    assert assembly.stacks[0].environment == "aws://1/eu"


def test_a_resource_is_found_by_its_construct_path(assembly: Assembly) -> None:
    found = assembly.find("local/Data/Orders/Queue", type="AWS::SQS::Queue")
    assert (found.stack, found.logical_id) == ("local-Data", "Queue1")


def test_the_only_one_below_a_path_is_found(assembly: Assembly) -> None:
    assert assembly.find("local/Workers", type="AWS::Events::Rule").logical_id == "Rule"


@pytest.mark.parametrize(
    ("path", "what"), [("local/Data/Orders", "2 resources"), ("local/Data/Queue", "no resource"), ("lo", "no resource")]
)
def test_none_and_several_are_refused(assembly: Assembly, path: str, what: str) -> None:
    with pytest.raises(AssemblyError, match=f"The assembly has {what} of type AWS::SQS::Queue at {path}; expected one"):
        assembly.find(path, type="AWS::SQS::Queue")


def test_references_are_resolved_across_stacks(assembly: Assembly) -> None:
    rule = assembly.find("local/Workers/Rule", type="AWS::Events::Rule")
    queue = assembly.find("local/Data/Orders/Queue", type="AWS::SQS::Queue")
    assert assembly.resolve(rule.properties, stack=rule.stack) == {"Arn": Reference(resource=queue, attribute="Arn")}


def test_pseudo_parameters_stay_as_they_are(assembly: Assembly) -> None:
    assert assembly.resolve([{"Ref": "AWS::Region"}, 1], stack="local-Data") == [{"Ref": "AWS::Region"}, 1]


def test_an_unknown_export_is_named(assembly: Assembly) -> None:
    with pytest.raises(AssemblyError, match="No stack of the assembly exports nothing"):
        assembly.resolve({"Fn::ImportValue": "nothing"}, stack="local-Data")


def test_a_folder_without_an_assembly_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match=r"There is no cloud assembly in .* run `cdk synth` first"):
        Assembly.load(tmp_path)

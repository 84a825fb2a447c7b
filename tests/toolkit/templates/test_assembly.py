"""Reading a cloud assembly."""

import json
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.errors import AssemblyError
from fargate_workers_toolkit.templates.assembly import Assembly

STACK = '{"artifacts": {"Shop": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Shop.json"}}}}'


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


def test_a_folder_without_an_assembly_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match=r"There is no cloud assembly in .* run `cdk synth` first"):
        Assembly.load(tmp_path)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"manifest.json": "{}"}, "has no template; run `cdk synth` again"),
        ({"manifest.json": "nothing"}, "manifest.json is not JSON"),
        ({"manifest.json": '{"artifacts": {"A": {}, "B": 3, "C": {"type": "cdk:tree"}}}'}, "has no template"),
        ({"manifest.json": STACK}, "Shop.json cannot be read: No such file or directory; run `cdk synth` again"),
        ({"manifest.json": STACK, "Shop.json": "[]"}, "Shop.json is not a CloudFormation template"),
    ],
)
def test_a_broken_assembly_is_told_in_a_sentence(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(AssemblyError, match=sentence):
        Assembly.read(tmp_path)


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ({}, "The resource Queue of Shop has no Type"),
        ([], "The resource Queue of Shop has no Type"),
        ({"Type": "AWS::SQS::Queue", "Properties": []}, "The Properties of Queue of Shop are no object"),
    ],
)
def test_a_broken_resource_is_told_in_a_sentence(tmp_path: Path, definition: object, sentence: str) -> None:
    path = tmp_path / "Shop.template.json"
    path.write_text(json.dumps({"Resources": {"Queue": definition}}))
    with pytest.raises(AssemblyError, match=sentence):
        Assembly.read(path).resources()


def test_a_byte_order_mark_is_no_part_of_a_template(tmp_path: Path) -> None:
    path = tmp_path / "Shop.json"
    path.write_text('{"Resources": {}}', encoding="utf-8-sig")
    assert Assembly.read(path).stacks[0].name == "Shop"


def test_the_stacks_that_do_not_run_are_left_out(assembly: Assembly) -> None:
    only = assembly.only(["local-Data"])
    assert {resource.stack for resource in only.resources()} == {"local-Data"}
    with pytest.raises(AssemblyError):
        only.find("local/Workers/Rule", type="AWS::Events::Rule")

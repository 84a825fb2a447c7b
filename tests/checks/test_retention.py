"""What is kept: nothing stands in the way of a retry, and nothing kept stands on what goes."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk.assertions import Template
from constructs import Construct

from fargate_workers import (
    Alerts,
    Database,
    DeduplicationTable,
    QueueWorker,
    RedisCache,
    ScheduledTask,
    WorkerCluster,
    WorkerQueue,
)
from tests.checks.cloudformation_types import names, values
from tests.doubles.stack_facts import image

Resources = dict[str, dict[str, Any]]
KEPT = ("Retain", "RetainExceptOnCreate")
# A kept resource would be useless, or open to others, without what is made for it alone.
POLICIES_OF = {"AWS::IAM::ManagedPolicy": "Roles", "AWS::S3::BucketPolicy": "Bucket", "AWS::SQS::QueuePolicy": "Queues"}
# Of a scaling policy, within its own service.
NAMED_WITHIN_ANOTHER = {"AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::MSK::Topic"}


def library(context: dict[str, Any], folder: Path) -> Resources:
    """Every construct that keeps something, as it is by default."""
    app = App(context=context, outdir=str(folder))
    stack = Stack(app, "Library")
    alerts = Alerts(stack, "Alerts")
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", alerts=alerts)
    QueueWorker(stack, "Orders", cluster=cluster, image=image(), cache=RedisCache(stack, "Cache", cluster=cluster))
    DeduplicationTable(stack, "Claims")
    Database(stack, "Orders database", cluster=cluster)
    WorkerQueue(stack, "Fifo", fifo=True)
    lonely = WorkerCluster(stack, "Lonely", network="public")
    ScheduledTask(stack, "Report", cluster=lonely, image=image(), schedule="rate(1 hour)")
    app.synth()
    return dict(json.loads((folder / "Library.template.json").read_text())["Resources"])


@pytest.fixture(scope="module")
def stacks(assembly: Path, context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resources]:
    found = {
        path.name: json.loads(path.read_text())["Resources"] for path in assembly.glob("assembly-*/*.template.json")
    }
    return found | {"library": library(context, tmp_path_factory.mktemp("cdk.out"))}


def referred_to(value: Any) -> Iterator[str]:
    """The logical ids in `value`: by Ref, Fn::GetAtt and Fn::Sub."""
    if isinstance(value, list):
        for each in value:
            yield from referred_to(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0] if isinstance(inner, list) else inner.split(".")[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)", inner if isinstance(inner, str) else inner[0])
            else:
                yield from referred_to(inner)


def is_kept(resource: dict[str, Any]) -> bool:
    return resource.get("DeletionPolicy") in KEPT


def test_a_first_deployment_that_fails_leaves_nothing_behind(stacks: dict[str, Resources]) -> None:
    left = [
        f"{stack}: {logical_id}"
        for stack, resources in stacks.items()
        for logical_id, resource in resources.items()
        if resource.get("DeletionPolicy") == "Retain"
    ]

    assert left == []


def test_a_roll_back_meets_nothing_that_refuses_to_be_deleted(stacks: dict[str, Resources]) -> None:
    refusing = [
        f"{stack}: {logical_id}"
        for stack, resources in stacks.items()
        for logical_id, resource in resources.items()
        if re.search(r'"DeletionProtection(Enabled)?": true', json.dumps(resource.get("Properties", {})))
    ]

    assert refusing == []


def test_nothing_has_a_name_that_a_second_stack_would_need_as_well(stacks: dict[str, Resources]) -> None:
    fixed = [
        f"{stack}: {logical_id}: {name} = {value}"
        for stack, resources in stacks.items()
        for logical_id, resource in resources.items()
        if not resource["Type"].startswith(("Custom::", "AWS::CDK::")) and resource["Type"] not in NAMED_WITHIN_ANOTHER
        for name in names(resource["Type"])
        for value in values(resource.get("Properties", {}), name)
        if "AWS::StackId" not in json.dumps(value)
        and not list(referred_to(value))
        and "ImportValue" not in json.dumps(value)
    ]

    assert fixed == []


def test_what_is_kept_stands_on_what_is_kept(stacks: dict[str, Resources]) -> None:
    lost = [
        f"{stack}: {logical_id} is kept, {other} goes"
        for stack, resources in stacks.items()
        for logical_id, resource in resources.items()
        if is_kept(resource)
        for other in set(referred_to(resource.get("Properties", {})))
        if other in resources and not is_kept(resources[other])
    ]

    assert lost == []


def test_what_is_kept_keeps_its_policies(stacks: dict[str, Resources]) -> None:
    bare = [
        f"{stack}: {logical_id} goes, {other} is kept"
        for stack, resources in stacks.items()
        for logical_id, resource in resources.items()
        if resource["Type"] in POLICIES_OF and not is_kept(resource)
        for other in set(referred_to(resource["Properties"].get(POLICIES_OF[resource["Type"]])))
        if other in resources and is_kept(resources[other])
    ]

    assert bare == []


def test_what_is_kept_stands_on_kept_things_of_other_stacks_too(assembly: Path) -> None:
    for environment in ("staging", "prod"):
        templates = [
            json.loads(path.read_text()) for path in (assembly / f"assembly-{environment}").glob("*.template.json")
        ]
        exported = {
            output["Export"]["Name"]: (template["Resources"], set(referred_to(output["Value"])))
            for template in templates
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }
        for template in templates:
            for logical_id, resource in template["Resources"].items():
                if is_kept(resource):
                    for name in re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(resource.get("Properties", {}))):
                        resources, behind = exported[name]
                        assert all(is_kept(resources[each]) for each in behind), f"{logical_id} stands on {name}"


@pytest.mark.parametrize("keep", [WorkerQueue, DeduplicationTable, Alerts])
def test_every_construct_may_let_its_data_go(keep: Callable[..., Construct], context: dict[str, Any]) -> None:
    stack = Stack(App(context=context), "Stack")
    keep(stack, "It", removal_policy=RemovalPolicy.DESTROY)

    assert not [r for r in Template.from_stack(stack).to_json()["Resources"].values() if is_kept(r)]

"""The library tags what belongs to a worker, and the toolkit's operations find it by these tags: one contract."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fargate_workers.cloudformation import ownership_tags
from fargate_workers_toolkit.operations import tags as names


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Properties", {}).get("Tags", [])}


@pytest.fixture(scope="module")
def resources(assembly: Path) -> list[Mapping[str, Any]]:
    templates = (assembly / "assembly-prod").glob("*.template.json")
    return [each for path in templates for each in json.loads(path.read_text())["Resources"].values()]


def tagged(resources: list[Mapping[str, Any]], type: str) -> Iterator[dict[str, str]]:
    return (tags_of(each) for each in resources if each["Type"] == type and names.WORKER in tags_of(each))


def test_both_sides_use_the_same_names() -> None:
    written = {tag.key: tag.value for tag in ownership_tags(environment="prod", name="s/Orders", role="DeadLetters")}

    assert written == {names.ENVIRONMENT: "prod", names.WORKER: "s/Orders", names.ROLE: "DeadLetters"}


def test_every_scalable_target_names_its_environment_and_worker(resources: list[Mapping[str, Any]]) -> None:
    targets = list(tagged(resources, "AWS::ApplicationAutoScaling::ScalableTarget"))

    assert {tags[names.WORKER] for tags in targets} == {"prod-Workers/ApplyOrders", "prod-Workers/ImportOrders"}
    assert {(tags[names.ENVIRONMENT], tags[names.ROLE]) for tags in targets} == {("prod", names.SCALING_ROLE)}


def test_the_functions_name_what_they_are_for(resources: list[Mapping[str, Any]]) -> None:
    roles = {tags[names.ROLE] for tags in tagged(resources, "AWS::Lambda::Function")}

    assert roles == {names.PLANNER_ROLE, names.REDRIVE_ROLE}


def test_every_alarm_that_calls_a_person_names_what_it_watches(resources: list[Mapping[str, Any]]) -> None:
    alarms = [each for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    loud = [each for each in alarms if each["Properties"].get("OKActions")]

    assert loud
    assert all(set(tags_of(each)) >= {names.ENVIRONMENT, names.WORKER, names.ROLE} for each in loud)
    assert {tags_of(each)[names.ENVIRONMENT] for each in loud} == {"prod"}


def test_scaling_alarms_have_no_role_so_that_no_command_mutes_them(resources: list[Mapping[str, Any]]) -> None:
    alarms = [each for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    scaling = [each for each in alarms if not each["Properties"].get("OKActions")]

    assert scaling
    assert not any(names.ROLE in tags_of(each) for each in scaling)


def test_characters_that_tags_do_not_take_are_replaced() -> None:
    written = {tag.key: tag.value for tag in ownership_tags(environment="prod", name="s/Or#ders", role="x" * 300)}

    assert written[names.WORKER] == "s/Or_ders"
    assert len(written[names.ROLE]) == 256

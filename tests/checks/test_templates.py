"""What must hold for every template of every environment."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

KEPT = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
# What the planner failed at is out of date after a minute.
DISPOSABLE = {"ClusterScalingPlannerFailed8016AB7D"}


@pytest.fixture(scope="module")
def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in assembly.glob("assembly-*/*.template.json")}


def test_there_are_three_stacks_per_environment_and_one_for_each_queue_system(
    templates: dict[str, dict[str, Any]],
) -> None:
    assert len(templates) == 5 * 3 + 5


def test_environments_are_resolved_in_python(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        assert list(template.get("Parameters", {})) == ["BootstrapVersion"], name
        assert template.get("Conditions", {}) == {}, name


def test_the_only_custom_resource_empties_a_bucket_whose_data_may_go(templates: dict[str, dict[str, Any]]) -> None:
    types = Counter(
        (name.removesuffix(".template.json").rstrip("0123456789ABCDEF"), resource["Type"])
        for name, template in templates.items()
        for resource in template["Resources"].values()
        if resource["Type"].startswith(("Custom::", "AWS::CloudFormation::CustomResource"))
    )

    assert types == {("devData", "Custom::S3AutoDeleteObjects"): 1}


def test_a_bucket_that_goes_is_emptied_first(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        resources = template["Resources"].values()
        emptied = [r["Properties"]["BucketName"] for r in resources if r["Type"] == "Custom::S3AutoDeleteObjects"]
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::S3::Bucket":
                goes = resource.get("DeletionPolicy", "Delete") == "Delete"
                assert ({"Ref": logical_id} in emptied) == goes, f"{name}: {logical_id}"


def test_production_keeps_everything_that_holds_data(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        if name.startswith("prod"):
            for logical_id, resource in template["Resources"].items():
                if resource["Type"] in KEPT and logical_id not in DISPOSABLE:
                    assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate", "Snapshot"}, logical_id
                    assert resource["UpdateReplacePolicy"] in {"Retain", "Snapshot"}, logical_id


def test_every_alarm_tells_somebody_what_to_do(templates: dict[str, dict[str, Any]]) -> None:
    for template in templates.values():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                properties = resource["Properties"]
                assert properties["AlarmActions"], logical_id


def test_no_alarm_is_held_by_another_stack(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        exported = json.dumps(
            [output["Value"] for output in template.get("Outputs", {}).values() if "Export" in output]
        )
        alarms = [
            key for key, resource in template["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"
        ]

        assert [alarm for alarm in alarms if f'"{alarm}"' in exported] == [], name


def test_every_log_group_expires(templates: dict[str, dict[str, Any]]) -> None:
    for template in templates.values():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Logs::LogGroup":
                assert resource["Properties"]["RetentionInDays"] > 0, logical_id

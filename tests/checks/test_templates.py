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


def test_there_are_three_stacks_per_environment(templates: dict[str, dict[str, Any]]) -> None:
    assert len(templates) == 4 * 3


def test_environments_are_resolved_in_python(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        assert list(template.get("Parameters", {})) == ["BootstrapVersion"], name
        assert template.get("Conditions", {}) == {}, name


def test_no_resource_is_a_custom_resource(templates: dict[str, dict[str, Any]]) -> None:
    types = Counter(r["Type"] for template in templates.values() for r in template["Resources"].values())

    assert [t for t in types if t.startswith("Custom::") or t == "AWS::CloudFormation::CustomResource"] == []


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


def test_every_log_group_expires(templates: dict[str, dict[str, Any]]) -> None:
    for template in templates.values():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Logs::LogGroup":
                assert resource["Properties"]["RetentionInDays"] > 0, logical_id

"""The table of claims and what claiming takes."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_cdk import App, Environment, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from fargate_workers.stores.deduplication_table import DeduplicationTable


@dataclass
class Task:
    """Remembers what it was granted."""

    allowed: list[tuple[list[str], list[str]]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def allow(self, actions: Any, resources: Any) -> None:
        self.allowed.append((list(actions), list(resources)))

    def add_environment(self, name: str, value: str) -> None:
        self.environment[name] = value


@dataclass
class Synthesized:
    stack: Stack
    plain: DeduplicationTable
    encrypted: DeduplicationTable
    template: Template


@pytest.fixture(scope="module")
def synthesized() -> Synthesized:
    # A table with a customer key refuses a stack that does not know its region.
    stack = Stack(App(), "Data", env=Environment(account="111111111111", region="eu-west-1"))
    plain = DeduplicationTable(stack, "Claims")
    encrypted = DeduplicationTable(
        stack,
        "Secret",
        encryption_key=kms.Key(stack, "Key"),
        deletion_protection=True,
        removal_policy=RemovalPolicy.DESTROY,
    )
    return Synthesized(stack, plain, encrypted, Template.from_stack(stack))


KEPT = {"DeletionPolicy": "RetainExceptOnCreate"}


def claims(template: Template) -> dict[str, Any]:
    tables = template.find_resources("AWS::DynamoDB::GlobalTable", KEPT)
    assert len(tables) == 1
    return dict(next(iter(tables.values())))


def test_claims_are_found_by_a_string_key_alone(synthesized: Synthesized) -> None:
    properties = claims(synthesized.template)["Properties"]

    assert properties["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert properties["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]


def test_claims_expire_by_themselves(synthesized: Synthesized) -> None:
    expiry = claims(synthesized.template)["Properties"]["TimeToLiveSpecification"]

    assert expiry == {"AttributeName": "ex", "Enabled": True}


def test_claims_are_paid_for_by_use(synthesized: Synthesized) -> None:
    assert claims(synthesized.template)["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_claims_can_be_restored_to_any_second_and_do_not_resist_a_roll_back(
    synthesized: Synthesized,
) -> None:
    replica = claims(synthesized.template)["Properties"]["Replicas"][0]

    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert not replica.get("DeletionProtectionEnabled", False)


def test_claims_outlive_their_stack(synthesized: Synthesized) -> None:
    table = claims(synthesized.template)

    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_claims_are_encrypted_with_dynamodbs_own_key_unless_given_one(synthesized: Synthesized) -> None:
    assert "SSESpecification" not in claims(synthesized.template)["Properties"]
    synthesized.template.has_resource_properties(
        "AWS::DynamoDB::GlobalTable",
        {
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
            "Replicas": [Match.object_like({"DeletionProtectionEnabled": True})],
        },
    )


def test_claiming_takes_two_actions_on_this_table_and_no_wildcard(synthesized: Synthesized) -> None:
    task = Task()

    synthesized.plain.grant_claim(task)

    assert task.allowed == [
        (
            ["dynamodb:UpdateItem"],
            [synthesized.plain.table_arn],
        )
    ]


def test_claiming_in_an_encrypted_table_takes_its_key_too(synthesized: Synthesized) -> None:
    task = Task()

    synthesized.encrypted.grant_claim(task)

    actions = [action for allowed, _ in task.allowed for action in allowed]
    assert [action for action in actions if action.startswith("kms:")] == [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
    ]
    assert [action for action in actions if "*" in action] == []


def test_a_claiming_task_is_told_the_tables_name(synthesized: Synthesized) -> None:
    task = Task()

    synthesized.plain.grant_claim(task)

    (logical_id,) = synthesized.template.find_resources(
        "AWS::DynamoDB::GlobalTable", {"DeletionPolicy": "RetainExceptOnCreate"}
    )
    assert synthesized.stack.resolve(task.environment) == {"CLAIMS_TABLE_NAME": {"Ref": logical_id}}

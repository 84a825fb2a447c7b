"""Tenants of a standard queue: whose age raises an alarm, whose backlog adds tasks, and what does not go together."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sqs as sqs

from fargate_workers import QueueWorker, Scaling, WorkerCluster, WorkerQueue
from tests.doubles.stack_facts import Facts, image, synthesize

BY_DEPTH = Scaling.on_queue_depth({100: 2})


def cluster_of(stack: Stack) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)


def worker(stack: Stack, *, scaling: Scaling | None = None, **options: Any) -> QueueWorker:
    source = WorkerQueue(stack, "Orders", **options)
    return QueueWorker(stack, "Apply", cluster=cluster_of(stack), image=image(), source=source, scaling=scaling)


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    builders: dict[str, Callable[[Stack], Any]] = {
        "plain": worker,
        "tenants": lambda stack: worker(stack, tenants=True),
        "quiet": lambda stack: worker(stack, tenants=True, scale_for="quiet", scaling=BY_DEPTH),
        "backlog": lambda stack: worker(
            stack, tenants=True, scale_for="quiet", scaling=Scaling.on_backlog_per_task(10)
        ),
    }
    return synthesize(builders)


def alarm(facts: Facts, name: str) -> dict[str, Any] | None:
    """The alarm of which the runbook is named so."""
    found = [each for each in facts.all("CloudWatch::Alarm") if f"/{name}.md" in json.dumps(each["AlarmDescription"])]
    return found[0] if found else None


def metrics_of_scaling(facts: Facts) -> set[str]:
    """What the alarms that scale and the target tracking read of SQS."""
    policies = {
        name for name, each in facts.resources.items() if each["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    }
    alarms = [
        each
        for each in facts.all("CloudWatch::Alarm")
        if any(policy in json.dumps(each.get("AlarmActions", [])) for policy in policies)
    ]
    texts = [json.dumps(each) for each in (*facts.all("ApplicationAutoScaling::ScalingPolicy"), *alarms)]
    names = {"Visible", "NotVisible", "VisibleInQuietGroups", "NotVisibleInQuietGroups"}
    return {name for name in names for text in texts if f'"ApproximateNumberOfMessages{name}"' in text}


def test_the_queue_itself_is_any_standard_queue(stacks: dict[str, Facts]) -> None:
    assert stacks["tenants"].all("SQS::Queue") == stacks["plain"].all("SQS::Queue")


def test_an_age_is_that_of_the_tenants_that_take_no_more_than_their_share(stacks: dict[str, Facts]) -> None:
    plain, tenants = (alarm(stacks[name], "oldest-message-too-old") for name in ("plain", "tenants"))

    assert plain is not None
    assert tenants is not None
    assert plain["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert tenants["MetricName"] == "ApproximateAgeOfOldestMessageInQuietGroups"


def test_a_noisy_tenant_has_an_alarm_of_its_own(stacks: dict[str, Facts]) -> None:
    noisy = alarm(stacks["tenants"], "noisy-tenants")

    assert alarm(stacks["plain"], "noisy-tenants") is None
    assert noisy is not None
    assert (noisy["MetricName"], noisy["EvaluationPeriods"]) == ("ApproximateNumberOfNoisyGroups", 15)


def test_every_tenant_adds_tasks_unless_asked_otherwise(stacks: dict[str, Facts]) -> None:
    assert "Planner" in json.dumps(stacks["tenants"].all("Events::Rule"))
    assert metrics_of_scaling(stacks["quiet"]) <= {"VisibleInQuietGroups", "NotVisibleInQuietGroups"}
    assert metrics_of_scaling(stacks["quiet"])
    assert metrics_of_scaling(stacks["backlog"]) <= {"VisibleInQuietGroups", "NotVisibleInQuietGroups"}
    assert metrics_of_scaling(stacks["backlog"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tenants": True, "fifo": True}, "Orders: tenants is for standard queues; to a FIFO queue, MessageGroupId is"),
        ({"scale_for": "quiet"}, 'Orders: scale_for="quiet" needs to know the tenants; set tenants=True'),
        ({"scale_for": "loud"}, "Orders: scale_for is 'loud'; use one of all, quiet"),
        (
            {"tenants": True, "scale_for": "quiet", "scaling": Scaling.on_queue_depth({10: 1}, min_tasks=0)},
            'Apply: min_tasks is 0, and with scale_for="quiet" the messages of a noisy tenant would wake no task',
        ),
        (
            {"tenants": True, "scale_for": "quiet"},
            "the planner of for_latency cannot read this source of work",
        ),
    ],
)
def test_what_does_not_go_together_gets_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        worker(Stack(App(), "Wrong"), **options)


def test_a_scaling_that_counts_arrivals_is_refused_for_quiet_tenants() -> None:
    stack = Stack(App(), "Wrong")

    with pytest.raises(ValueError, match="arrivals"):
        worker(
            stack,
            tenants=True,
            scale_for="quiet",
            scaling=Scaling.for_latency(function=False, processing_time=Duration.seconds(1)),
        )


def test_an_existing_fifo_queue_has_no_tenants() -> None:
    stack = Stack(App(), "Wrong")
    fifo = sqs.Queue(stack, "Fifo", fifo=True)

    with pytest.raises(ValueError, match="Orders: tenants is for standard queues"):
        WorkerQueue(stack, "Orders", queue=fifo, dead_letter_queue=fifo, tenants=True)

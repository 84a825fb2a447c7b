"""A worker drains any source of work; one that this library does not know can do all but what only a queue can."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

import fargate_workers
from fargate_workers import DeadLetterRedrive, QueueWorker, Scaling, WorkerCluster, WorkerQueue
from fargate_workers.access import Access
from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.sources.source import Demand, PlannerInput, Signals, WorkSource
from tests.doubles.stack_facts import Facts, image, synthesize

NO_SQS = (
    "sources/source",
    "scaling/attachment",
    "scaling/latency_budget",
    "scaling/planner",
    "scaling/policies",
    "scaling/scaling_target",
    "scaling/step_scaling",
    "workers/checks",
    "workers/queue_worker",
)
#: A queue may be given as it is, or none at all: its room makes a source of either.
ROOM_OF_QUEUES = "fargate_workers.sources.sqs"


def metric(name: str) -> Metric:
    return Metric(namespace="Streams", name=name, dimensions={"Stream": "clicks"})


SIGNALS = Signals(
    backlog=metric("Lag"),
    in_flight=metric("Pending"),
    oldest_age=metric("Age"),
    arrivals=metric("Added"),
    deliveries=metric("Delivered"),
    acknowledged=metric("Acknowledged"),
)


class Stream:
    """A source of work of another kind, with nothing of a queue."""

    def __init__(self, signals: Signals = SIGNALS, *, planner_input: PlannerInput | None = None) -> None:
        self.access = Access(
            [{"Effect": "Allow", "Action": ["streams:Read"], "Resource": "arn:aws:streams:::clicks"}],
            {"STREAM_NAME": "clicks"},
        )
        self.broker = "Streams"
        self.signals = signals
        self.planner_input = planner_input
        self.max_receive_count: int | None = None
        self.demands: list[Demand] = []

    def check_demand(self, worker: str, demand: Demand) -> None:
        self.demands.append(demand)
        if demand.concurrency > 500:
            raise ValueError(f"{worker}: a stream bears 500 at once.")

    def work_alarms(self, demand: Demand, *, log_group_name: str) -> Sequence[AlarmDefinition]:
        return [
            AlarmDefinition(
                id="StreamTooOld",
                symptom=f"the oldest entry has waited longer than {demand.acceptable_age_seconds} s.",
                meaning="Work arrives faster than it is done.",
                first_command=f"aws logs tail {log_group_name}",
                metrics={"age": metric("Age")},
                threshold=demand.acceptable_age_seconds,
            )
        ]

    def look_command(self) -> str:
        return "aws streams describe --name clicks"


def worker(stack: Stack, source: Any, **options: Any) -> QueueWorker:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
    return QueueWorker(stack, "Clicks", cluster=cluster, image=image(), source=source, **options)


def in_math(**options: Any) -> Scaling:
    return Scaling.for_latency(function=False, processing_time=Duration.seconds(1), **options)


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    read = PlannerInput(
        fields={"stream": "clicks"},
        longest={"stream": "clicks"},
        actions=["streams:Describe"],
        resource="arn:aws:streams:::clicks",
    )
    few = replace(SIGNALS, oldest_age=None, arrivals=None, acknowledged=None)
    return synthesize(
        {
            "math": lambda stack: worker(stack, Stream(), scaling=in_math()),
            "planned": lambda stack: worker(stack, Stream(planner_input=read)),
            "depth": lambda stack: worker(stack, Stream(few), scaling=Scaling.on_queue_depth(min_tasks=0)),
            "blind": lambda stack: worker(stack, Stream(Signals(), planner_input=read)),
        }
    )


def variables(facts: Facts) -> dict[str, Any]:
    (task,) = facts.all("ECS::TaskDefinition")
    return {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}


def test_the_container_finds_the_source_and_nothing_of_a_queue(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["math"])
    assert found["STREAM_NAME"] == "clicks"
    assert not {name for name in found if "QUEUE" in name or "VISIBILITY" in name or "RECEIVE" in name}


def test_the_task_may_drain_the_source(stacks: dict[str, Facts]) -> None:
    statements = [
        statement
        for policy in stacks["math"].all("IAM::ManagedPolicy")
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert [each["Resource"] for each in statements if each["Action"] == "streams:Read"] == ["arn:aws:streams:::clicks"]
    assert not [each for each in statements if "sqs:" in str(each["Action"])]


def test_scaling_computes_with_the_sources_signals(stacks: dict[str, Facts]) -> None:
    alarms = {each["AlarmDescription"].split(" policy ")[-1]: each for each in scaling_alarms(stacks["math"])}
    read = {
        query["Id"]: query["MetricStat"]["Metric"]["MetricName"]
        for alarm in alarms.values()
        for query in alarm["Metrics"]
        if "MetricStat" in query
    }
    assert read == {
        "visible": "Lag",
        "in_flight": "Pending",
        "oldest": "Age",
        "sent": "Added",
        "deleted": "Acknowledged",
        "running": "CPUUtilization",
    }


def scaling_alarms(facts: Facts) -> list[dict[str, Any]]:
    return [
        each
        for each in facts.all("CloudWatch::Alarm")
        if str(each["AlarmDescription"]).startswith("Application Auto Scaling")
    ]


def test_a_policy_does_without_the_signals_it_does_not_read(stacks: dict[str, Facts]) -> None:
    assert {policy["PolicyName"] for policy in stacks["depth"].all("ApplicationAutoScaling::ScalingPolicy")} == {
        "ScaleOut",
        "ScaleIn",
        "WakeUp",
        "Sleep",
    }


def test_the_planner_reads_what_the_source_names(stacks: dict[str, Facts]) -> None:
    rule = stacks["planned"].only("Events::Rule", ScheduleExpression="rate(1 minute)")
    assert '"stream":"clicks"' in str(rule["Targets"][0]["Input"])
    assert "streams:Describe" in str(stacks["planned"].all("IAM::ManagedPolicy"))


def test_alarms_are_the_sources_and_the_services(stacks: dict[str, Facts]) -> None:
    def named(facts: Facts) -> str:
        return " ".join(str(each["AlarmDescription"]) for each in facts.all("CloudWatch::Alarm"))

    assert "the oldest entry has waited longer than 900 s" in named(stacks["math"])
    assert "aws streams describe --name clicks" in named(stacks["math"])
    assert "no task has run for 5 minutes" in named(stacks["blind"])
    assert "messages still wait" not in named(stacks["blind"])


@pytest.mark.parametrize(
    ("absent", "scaling", "sentence"),
    [
        ("in_flight", Scaling.on_queue_depth(), "computes with in_flight, which the source of its work does not"),
        ("deliveries", Scaling.on_backlog_per_task(10), "computes with deliveries, which the source"),
        ("oldest_age", in_math(), "computes with oldest_age, which the source"),
        ("acknowledged", in_math(), "computes with acknowledged, which the source"),
    ],
)
def test_a_policy_that_needs_an_absent_signal_is_refused(absent: str, scaling: Scaling, sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"^stack/Clicks: its scaling {sentence}"):
        worker(Stack(App(), "stack"), Stream(replace(SIGNALS, **{absent: None})), scaling=scaling)


def test_the_planner_refuses_a_source_that_it_cannot_read() -> None:
    with pytest.raises(ValueError, match=r"^stack/Clicks: the planner of for_latency cannot read this source of work"):
        worker(Stack(App(), "stack"), Stream())


def test_the_source_is_asked_what_it_bears() -> None:
    with pytest.raises(ValueError, match=r"^Clicks: a stream bears 500 at once\.$"):
        worker(Stack(App(), "stack"), Stream(), concurrency=501)


def test_what_only_a_queue_can_do_is_refused() -> None:
    stack = Stack(App(), "stack")
    clicks = worker(stack, Stream(), scaling=in_math())
    no_queue = r"^Clicks: its source is a Stream and no queue; use a worker with a WorkerQueue here\.$"

    for call in (
        lambda: clicks.queue,
        lambda: clicks.dead_letter_queue,
        lambda: clicks.subscribe(sns.Topic(stack, "Topic")),
        lambda: clicks.on_object_created(s3.Bucket(stack, "Bucket")),
        lambda: DeadLetterRedrive(stack, "Redrive", cluster=clicks.cluster, workers=[clicks]),
    ):
        with pytest.raises(ValueError, match=no_queue):
            call()


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(ValueError, match=r"source is of type str; give a WorkerQueue, an SQS queue or another WorkSou"):
        worker(Stack(App(), "stack"), "orders")
    stack = Stack(App(), "stack")
    with pytest.raises(TypeError, match=r"^Clicks: there is no option queue; give the queue as source\.$"):
        worker(stack, None, queue=sqs.Queue(stack, "Own"))


def test_a_queue_is_a_source() -> None:
    queue = WorkerQueue(Stack(App(), "stack"), "Orders")
    assert isinstance(queue, WorkSource)
    assert set(queue.signals.present()) == set(Signals.__dataclass_fields__)


@pytest.mark.parametrize("name", NO_SQS)
def test_workers_and_scaling_know_no_sqs(name: str) -> None:
    text = (Path(fargate_workers.__file__).parent / f"{name}.py").read_text()
    if name == "workers/queue_worker":
        text = text.replace(ROOM_OF_QUEUES, "fargate_workers.sources.queues")
    imported = [
        f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert not [each for each in imported if "sqs" in each.lower()]
    lines = [line for line in text.splitlines() if "sqs" in line.lower()]
    assert lines == []

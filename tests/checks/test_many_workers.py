"""Fifty workers in one environment keep every limit of AWS; what does not fit is one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from constructs import Construct

from fargate_workers import (
    Alerts,
    Dashboard,
    DeadLetterRedrive,
    DeduplicationTable,
    QueueWorker,
    RedisCache,
    WorkerCluster,
)
from fargate_workers.operations.dead_letter_redrive import ROOM_FOR_QUEUES
from tests.checks.limits import broken, longest
from tests.doubles.stack_facts import image

WORKERS, A_STACK_HAS = 50, 13


class Shared:
    """What all workers of an environment share."""

    def __init__(self, app: App) -> None:
        platform, data = Stack(app, "prod-Platform"), Stack(app, "prod-Data")
        self.alerts = Alerts(platform, "Alerts", emails=["on-call@acme.com"])
        self.cluster = WorkerCluster(platform, "Cluster", network="endpoints", alerts=self.alerts)
        self.claims = DeduplicationTable(data, "Claims")
        self.cache = RedisCache(data, "Cache", cluster=self.cluster, node_type="cache.m7g.large")

    def worker(self, scope: Construct, id: str, **options: Any) -> QueueWorker:
        return QueueWorker(
            scope, id, cluster=self.cluster, image=image(), claims=self.claims, cache=self.cache, **options
        )


@pytest.fixture(scope="module")
def templates(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("cdk.out")
    app = App(outdir=str(folder), context=context)
    shared = Shared(app)
    workers: list[QueueWorker] = []
    for first in range(0, WORKERS, A_STACK_HAS):
        stack = Stack(app, f"prod-Workers{first // A_STACK_HAS + 1}")
        mine = [
            shared.worker(stack, f"ApplyOrders{number:02}")
            for number in range(first, min(first + A_STACK_HAS, WORKERS))
        ]
        Dashboard(stack, "Dashboard", workers=mine)
        workers += mine
    operations = Stack(app, "prod-Operations")
    DeadLetterRedrive(operations, "Redrive", cluster=shared.cluster, workers=workers)
    app.synth()
    return {path.name.split(".")[0]: json.loads(path.read_text()) for path in folder.glob("*.template.json")}


def test_fifty_workers_keep_every_limit(templates: dict[str, dict[str, Any]]) -> None:
    assert sum(r["Type"] == "AWS::ECS::Service" for t in templates.values() for r in t["Resources"].values()) == WORKERS
    assert {name: broken(template) for name, template in templates.items() if broken(template)} == {}


def test_our_own_environments_keep_every_limit(assembly: Path) -> None:
    templates = {path.name: json.loads(path.read_text()) for path in assembly.glob("assembly-*/*.template.json")}

    assert {name: broken(template) for name, template in templates.items() if broken(template)} == {}


def test_each_stack_of_workers_has_a_planner_of_its_own(templates: dict[str, dict[str, Any]]) -> None:
    for name, template in templates.items():
        planners = [each for each in template["Resources"] if each.startswith("ClusterScalingPlannerFunction")]
        assert len(planners) == name.startswith("prod-Workers"), name


def test_one_redrive_of_fifty_workers_has_as_many_functions_as_it_needs(templates: dict[str, dict[str, Any]]) -> None:
    functions = [
        r["Properties"]
        for r in templates["prod-Operations"]["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function"
    ]
    written = [longest(function["Environment"]["Variables"]["QUEUES"]) for function in functions]

    assert 1 < len(functions) < 5
    assert max(map(len, written)) <= ROOM_FOR_QUEUES
    assert sorted(name for each in written for name in json.loads(each)) == [
        f"ApplyOrders{n:02}" for n in range(WORKERS)
    ]


def test_a_stack_of_too_many_workers_says_how_to_split_it(context: dict[str, Any]) -> None:
    app = App(context=context)
    shared = Shared(app)
    stack = Stack(app, "prod-Workers")

    def fill() -> None:
        for number in range(WORKERS):
            shared.worker(stack, f"W{number}")

    with pytest.raises(
        ValueError, match=r"^prod-Workers/W\d+: its stack has 5\d\d resources with \d+ workers, "
    ) as raised:
        fill()

    assert "put further workers into another stack, on the same cluster." in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_dashboard_of_another_stacks_workers_says_where_it_belongs(context: dict[str, Any]) -> None:
    app = App(context=context)
    shared = Shared(app)
    workers = [shared.worker(Stack(app, "Workers"), f"W{number}") for number in range(1)] * 20

    with pytest.raises(
        ValueError, match=r"more than 150 outputs of the stack Workers, .* make a dashboard in that stack"
    ):
        Dashboard(Stack(app, "Pictures"), "Dashboard", workers=workers)


def test_a_dashboard_of_too_many_workers_is_refused(context: dict[str, Any]) -> None:
    app = App(context=context)
    stack = Stack(app, "Workers")
    worker = Shared(app).worker(stack, "Orders")

    with pytest.raises(
        ValueError, match=r"Dashboard 'All' shows 170 workers in \d+ widgets, and CloudWatch takes 500;"
    ):
        Dashboard(stack, "All", workers=[worker] * 170)


def test_a_cache_for_more_tasks_than_its_security_group_takes_is_refused(context: dict[str, Any]) -> None:
    app = App(context=context)
    shared = Shared(app)
    connections = shared.worker(Stack(app, "Workers"), "Orders").connections

    for _ in range(59):
        shared.cache.let_in(connections)

    with pytest.raises(ValueError, match=r"^Cache: more than 60 tasks connect to it, .* a cache of their own\.$"):
        shared.cache.let_in(connections)


def test_every_limit_is_noticed_when_it_is_broken(context: dict[str, Any], tmp_path: Path) -> None:
    def template(kind: str, **properties: Any) -> dict[str, Any]:
        return {"Resources": {"It": {"Type": f"AWS::{kind}", "Properties": properties}}}

    statement = {"Effect": "Allow", "Action": "*", "Resource": [{"Fn::GetAtt": ["Queue", "Arn"]}] * 60}
    widget = {"type": "alarm", "properties": {"alarms": ["a"] * 101}}
    for wrong in (
        {"Resources": {str(n): {"Type": "AWS::SNS::Topic"} for n in range(501)}},
        {"Resources": {}, "Outputs": {str(n): {} for n in range(201)}},
        template("Lambda::Function", Environment={"Variables": {"A": "x" * 4_096}}),
        template("IAM::ManagedPolicy", PolicyDocument={"Statement": [statement]}),
        template("IAM::Role", ManagedPolicyArns=["arn"] * 11),
        template("IAM::Role", Policies=[{"PolicyDocument": {"Statement": [statement, statement]}}]),
        template("Events::Rule", Targets=[{"Input": "x" * 8_193}]),
        template("Events::Rule", Targets=[{}] * 6),
        template("CloudWatch::Dashboard", DashboardBody=json.dumps({"widgets": [widget]})),
        template(
            "CloudWatch::Dashboard", DashboardBody=json.dumps({"widgets": [{"type": "text", "properties": {}}] * 501})
        ),
        template("CloudWatch::Alarm", AlarmDescription="x" * 1_025),
    ):
        assert len(broken(wrong)) == 1, wrong

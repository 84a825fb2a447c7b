"""Scaling by latency: a worker's policies, the function that plans for them, and what the simulator makes of both."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import Alerts, QueueWorker, Scaling, WorkerCluster, WorkerQueue
from fargate_workers.scaling.planner import ScalingPlanner
from fargate_workers_planner.steps import LADDER, climbing, descending, until_seen
from fargate_workers_toolkit.simulation.control.planner import find_code
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.simulate import simulate
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.doubles.stack_facts import Facts, image

POLICY = "ApplicationAutoScaling::ScalingPolicy"
ALARM = "CloudWatch::Alarm"
METRICS = "FargateWorkers/Scaling"
AS_THE_CLI = {"aws:cdk:enable-asset-metadata": True, "aws:cdk:enable-path-metadata": True}


def cluster(stack: Stack, id: str = "Cluster", **options: Any) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, f"{id}Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(stack, id, network="nat", vpc=vpc, **options)


def worker(
    stack: Stack, id: str, ours: WorkerCluster, *, scaling: Scaling | None = None, **options: Any
) -> QueueWorker:
    return QueueWorker(stack, id, cluster=ours, image=image(), scaling=scaling or Scaling.for_latency(), **options)


class Synthesized:
    """A platform, queues and two stacks of workers, as an application has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        app = App(outdir=str(folder), context=AS_THE_CLI)
        platform, data = Stack(app, "Platform"), Stack(app, "Data")
        ours = cluster(platform, alerts=Alerts(platform, "Alerts"))
        isolated = WorkerCluster(platform, "Isolated", network="endpoints")
        queue = WorkerQueue(data, "Queue")
        workers, others = Stack(app, "Workers"), Stack(app, "Others")
        worker(workers, "Orders", ours, source=queue)
        worker(
            workers,
            "Invoices",
            ours,
            concurrency=4,
            scaling=Scaling.for_latency(
                acceptable_latency=Duration.minutes(2),
                processing_time=Duration.millis(250),
                max_downstream_rate=80.5,
                min_tasks=2,
                max_tasks=20,
                mode="cost",
            ),
        )
        worker(workers, "ByDepth", ours, scaling=Scaling.on_queue_depth())
        worker(others, "Orders", ours)
        worker(others, "Isolated", isolated, scaling=Scaling.for_latency(min_tasks=0))
        app.synth()
        self.workers, self.others, self.platform = (
            Facts(json.loads((folder / f"{name}.template.json").read_text()))
            for name in ("Workers", "Others", "Platform")
        )


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    return Synthesized(tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture
def workers(synthesized: Synthesized) -> Facts:
    return synthesized.workers


def function(facts: Facts) -> dict[str, Any]:
    return facts.only("Lambda::Function", Description="Plans how many tasks each worker needs")


def told(facts: Facts) -> list[dict[str, Any]]:
    """The workers that the rules name to the function, in order."""
    return [worker for rule in rules(facts) for worker in json.loads(filled_in(rule))["workers"]]


def rules(facts: Facts) -> list[dict[str, Any]]:
    return [each for each in facts.all("Events::Rule") if each.get("ScheduleExpression") == "rate(1 minute)"]


def filled_in(rule: dict[str, Any], token: str = "token") -> str:
    """A rule's input with `token` in the place of what CloudFormation fills in."""
    (target,) = rule["Targets"]
    return "".join(part if isinstance(part, str) else token for part in target["Input"]["Fn::Join"][1])


def planned(facts: Facts, name: str, worker: str = "Workers/Orders") -> dict[str, Any]:
    """The whole policy `name` of a worker."""
    (found,) = [
        each
        for each in facts.whole(POLICY)
        if each["Properties"]["PolicyName"] == name
        and each.get("Metadata", {}).get("fargate-workers", {}).get("planner", {}).get("worker") == worker
    ]
    return found


def test_a_worker_keeps_a_latency_unless_you_say_otherwise() -> None:
    stack = Stack()
    assert QueueWorker(stack, "Orders", cluster=cluster(stack), image=image()).scaling == Scaling.for_latency()


def test_five_minutes_one_second_and_one_to_ten_tasks_are_the_default(workers: Facts) -> None:
    assert planned(workers, "ScaleOut")["Metadata"]["fargate-workers"]["planner"] == {
        "worker": "Workers/Orders",
        "policy": {
            "acceptable_latency": 300,
            "processing_time": 1,
            "concurrency": 10,
            "min_tasks": 1,
            "max_tasks": 10,
            "mode": "balanced",
        },
    }


def test_both_policies_say_whose_plans_they_follow_as_the_function_is_told(workers: Facts) -> None:
    policies = {each["worker"]: each["policy"] for each in told(workers)}

    assert policies["Workers/Invoices"] == {
        "acceptable_latency": 120,
        "processing_time": 0.25,
        "concurrency": 4,
        "min_tasks": 2,
        "max_tasks": 20,
        "mode": "cost",
        "max_downstream_rate": 80.5,
    }
    for worker_name, policy in policies.items():
        for name in ("ScaleOut", "ScaleIn"):
            metadata = planned(workers, name, worker_name)["Metadata"]
            assert metadata["fargate-workers"] == {"planner": {"worker": worker_name, "policy": policy}}


def test_a_gap_is_acted_on_once_and_only_the_rest_of_a_larger_one_sooner(workers: Facts) -> None:
    configurations = {
        name: planned(workers, name)["Properties"]["StepScalingPolicyConfiguration"] for name in ("ScaleOut", "ScaleIn")
    }
    assert {name: each["Cooldown"] for name, each in configurations.items()} == {"ScaleOut": 180, "ScaleIn": 180}
    assert {each["AdjustmentType"] for each in configurations.values()} == {"ChangeInCapacity"}
    steps = [each["ScalingAdjustment"] for each in configurations["ScaleOut"]["StepAdjustments"]]
    assert steps == list(LADDER)
    assert [-each["ScalingAdjustment"] for each in configurations["ScaleIn"]["StepAdjustments"]] == steps


@pytest.mark.parametrize(
    ("metric", "comparison", "threshold"),
    [("CapacityGap", "GreaterThanOrEqualToThreshold", 1), ("CapacityGapIn", "LessThanOrEqualToThreshold", -1)],
)
def test_one_minute_of_a_gap_is_enough_and_silence_does_nothing(
    workers: Facts, metric: str, comparison: str, threshold: int
) -> None:
    found = workers.only(
        ALARM, Namespace=METRICS, MetricName=metric, Dimensions=[{"Name": "Worker", "Value": "Workers/Orders"}]
    )
    assert (found["ComparisonOperator"], found["Threshold"]) == (comparison, threshold)
    assert (found["Statistic"], found["Period"]) == ("Maximum", 60)
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (1, 1)
    assert found["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("gap", [1, 2, 6, 7, 9, 10, 499, 500, 4_000])
def test_the_largest_step_that_fits_a_gap_is_taken(gap: int) -> None:
    out = [
        each.change
        for each in climbing()
        if (each.lower or 0) <= gap - 1 and (each.upper is None or gap - 1 < each.upper)
    ]
    into = [
        each.change
        for each in descending()
        if (each.lower is None or each.lower < 1 - gap) and 1 - gap <= (each.upper or 0)
    ]
    assert out == [max(step for step in LADDER if step <= gap)]
    assert into == [-out[0]]


def test_there_is_one_function_for_a_cluster_and_stack_beside_the_workers(synthesized: Synthesized) -> None:
    assert [each["worker"] for each in told(synthesized.workers)] == ["Workers/Orders", "Workers/Invoices"]
    assert synthesized.workers.count("Lambda::Function") == 1
    assert synthesized.others.count("Lambda::Function") == 2
    assert synthesized.platform.count("Lambda::Function") == 0


def test_it_runs_every_minute_and_what_failed_is_not_repeated(workers: Facts) -> None:
    rule = workers.only("Events::Rule", ScheduleExpression="rate(1 minute)")
    (target,) = rule["Targets"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    once = workers.only("Lambda::EventInvokeConfig")
    assert (once["MaximumRetryAttempts"], once["MaximumEventAgeInSeconds"]) == (0, 60)
    assert workers.only("Lambda::Permission")["SourceArn"]["Fn::GetAtt"][0] == workers.id_of(
        "Events::Rule", ScheduleExpression="rate(1 minute)"
    )
    assert function(workers)["Timeout"] < 60
    assert once["DestinationConfig"]["OnFailure"]["Destination"] == target["DeadLetterConfig"]["Arn"]
    # A day, and not among the alerts' own undelivered events.
    failed = target["DeadLetterConfig"]["Arn"]
    assert function(workers)["DeadLetterConfig"]["TargetArn"] == failed
    assert workers.resources[failed["Fn::GetAtt"][0]]["Properties"]["MessageRetentionPeriod"] == 86_400


def test_it_may_look_at_these_queues_and_services_and_publish_in_its_namespace(workers: Facts) -> None:
    planner = [each for each in workers.statements() if "ecs:DescribeServices" in each["Action"]]
    (services,) = planner
    assert len(services["Resource"]) == 2
    assert all("*" not in json.dumps(resource) for resource in services["Resource"])
    (queues,) = [each for each in workers.statements() if each["Action"] == ["sqs:GetQueueAttributes"]]
    assert len(queues["Resource"]) == 2
    assert "*" not in json.dumps(queues)
    (put,) = [each for each in workers.statements() if "cloudwatch:PutMetricData" in each["Action"]]
    assert put["Condition"] == {"StringEquals": {"cloudwatch:namespace": METRICS}}
    (get,) = [each for each in workers.statements() if "cloudwatch:GetMetricData" in each["Action"]]
    assert get["Action"] == ["cloudwatch:GetMetricData"]
    # What every function of ours may do is still there.
    assert [each for each in workers.statements() if "logs:PutLogEvents" in each["Action"]]


def test_silence_and_failures_are_told(workers: Facts) -> None:
    silent = workers.only(ALARM, Namespace="AWS/Lambda", MetricName="Invocations")
    assert (silent["ComparisonOperator"], silent["Threshold"]) == ("LessThanThreshold", 1)
    assert (silent["EvaluationPeriods"], silent["TreatMissingData"]) == (5, "breaching")
    assert "planner-silent.md" in json.dumps(silent["AlarmDescription"])
    failing = workers.only(ALARM, Namespace="AWS/Lambda", MetricName="Errors")
    assert (failing["EvaluationPeriods"], failing["DatapointsToAlarm"]) == (5, 3)
    assert silent["AlarmActions"]
    assert failing["AlarmActions"] == silent["AlarmActions"]


def test_a_network_without_internet_gets_the_endpoints_that_the_function_calls(synthesized: Synthesized) -> None:
    names = json.dumps([each["ServiceName"] for each in synthesized.platform.all("EC2::VPCEndpoint")])
    assert ".ecs" in names
    assert ".monitoring" in names


def test_a_service_that_sleeps_for_longer_than_messages_may_wait_is_refused() -> None:
    hasty = Scaling.for_latency(acceptable_latency=Duration.seconds(60), min_tasks=0)
    with pytest.raises(
        ValueError, match=r"Orders: acceptable_latency is 1 min, but .* set min_tasks to 1, or accept 150"
    ):
        hasty.planned("Orders", concurrency=10)
    assert Scaling.for_latency(acceptable_latency=Duration.seconds(60), min_tasks=1).planned("Orders", concurrency=10)
    assert Scaling.for_latency(acceptable_latency=Duration.seconds(150), min_tasks=0).planned("Orders", concurrency=10)


def test_how_long_a_task_takes_to_start_is_told_where_it_is_said() -> None:
    usual, slow = (
        Scaling.for_latency(launch_latency=latency).planned("Orders", concurrency=1)
        for latency in (None, Duration.minutes(3))
    )
    assert usual is not None
    assert slow is not None
    assert "launch_latency" not in usual.policy
    assert slow.policy["launch_latency"] == 180


def test_the_slower_tasks_start_the_longer_a_scale_out_cools_down() -> None:
    assert [until_seen(seconds) for seconds in (20, 60, 61, 180)] == [180, 180, 240, 300]


def test_the_scalings_own_downstream_rate_comes_first() -> None:
    found = Scaling.for_latency(max_downstream_rate=5).planned("Orders", concurrency=1, max_downstream_rate=30)
    assert found is not None
    assert found.policy["max_downstream_rate"] == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"min_tasks": -1}, "min_tasks is -1; use 0 or more"),
        ({"min_tasks": 5, "max_tasks": 4}, r"max_tasks \(4\) must be at least 1 and not below min_tasks \(5\)"),
        ({"min_tasks": 0, "max_tasks": 0}, r"max_tasks \(0\) must be at least 1"),
        ({"acceptable_latency": Duration.seconds(0)}, "acceptable_latency is 0 s; .* accept 1 s or more"),
        ({"processing_time": Duration.seconds(0)}, "processing_time is 0 s; .* use more than 0"),
        ({"max_downstream_rate": 0}, "max_downstream_rate is 0; use more than 0"),
        ({"launch_latency": Duration.seconds(0)}, "launch_latency is 0 s; .* say 1 s or more"),
        ({"mode": "cheap"}, "mode is 'cheap'; use one of balanced, cost"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Scaling.for_latency(**options)


def test_workers_of_one_name_have_plans_of_their_own(synthesized: Synthesized) -> None:
    (orders,) = [each["worker"] for each in told(synthesized.others) if each["worker"].endswith("/Orders")]
    assert orders == "Others/Orders"


def test_clusters_of_one_name_have_a_planner_each() -> None:
    app = App()
    stack = Stack(app, "Workers")
    first, second = (cluster(Stack(app, name)) for name in ("East", "West"))
    assert ScalingPlanner.of(stack, cluster=first) is ScalingPlanner.of(stack, cluster=first)
    assert ScalingPlanner.of(stack, cluster=first) is not ScalingPlanner.of(stack, cluster=second)


def test_a_further_rule_names_the_workers_that_fit_into_no_input(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Workers")
    ours = cluster(stack, reserve_concurrency=True)
    planner, queue = ScalingPlanner.of(stack, cluster=ours), WorkerQueue(stack, "Queue")
    names = [f"Workers/W{number}" for number in range(40)]
    for name in names:
        found = Scaling.for_latency().planned(name, concurrency=10)
        assert found is not None
        planner.plan_for(found, source=queue, service_name="n" * 80)
    app.synth()
    facts = Facts(json.loads((tmp_path / "Workers.template.json").read_text()))

    assert [each["worker"] for each in told(facts)] == names
    assert 1 < len(rules(facts)) < 10
    assert max(len(filled_in(rule, "n" * 80)) for rule in rules(facts)) <= 8_192
    assert facts.count("Lambda::Permission") == len(rules(facts))
    # Each rule calls at the same moment, and a call that finds no room would have to wait for it.
    assert function(facts)["ReservedConcurrentExecutions"] == len(rules(facts))


def test_nothing_is_reserved_of_the_functions_that_an_account_may_run_unless_you_ask(workers: Facts) -> None:
    assert "ReservedConcurrentExecutions" not in function(workers)


def test_the_simulator_runs_the_very_code_that_would_be_deployed(synthesized: Synthesized) -> None:
    code = find_code(synthesized.folder, Assembly.read(synthesized.folder))

    assert code is not None
    assert code.is_relative_to(synthesized.folder)


def test_the_simulator_keeps_the_latency_of_a_burst(synthesized: Synthesized) -> None:
    service = read_service(synthesized.folder, name="Workers/Orders")
    assert service.planner is not None
    assert service.planner.worker == "Workers/Orders"
    assert {alarm.threshold for alarm in service.alarms} == {1, -1}

    result = simulate(service, built_in("burst"), slo=300)
    assert (round(result.missed), result.residual) == (0, 0)
    assert 1 < result.peak <= 10
    assert result.reversals <= 40

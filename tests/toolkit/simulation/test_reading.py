"""What the simulator reads out of templates, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as patterns

from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.aws_behaviour.schedules import Schedule
from fargate_workers_toolkit.aws_behaviour.target_tracking import TrackingPolicy
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import Metric, PlannerUse, Query, Queue, ScheduledAction, Task
from fargate_workers_toolkit.simulation.reading.services import read_service, read_services
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.templates import (
    QUEUE_NAME,
    VISIBLE,
    Definition,
    alarm,
    resource,
    step,
    template,
    tracking,
    written,
)

NO: Definition = {}


def target(**changes: Any) -> Definition:
    definition = template()["Resources"]["Target"]
    return {**definition, "Properties": {**definition["Properties"], **changes}}


def query(name: str, namespace: str, metric: str, statistic: str, *, period: int | None = 60) -> Definition:
    stat: dict[str, Any] = {
        "Metric": {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [
                {"Name": "QueueName", "Value": QUEUE_NAME},
                {"Name": "ServiceName", "Value": {"Fn::GetAtt": ["Service", "Name"]}},
            ],
        },
        "Stat": statistic,
    }
    return {"Id": name, "ReturnData": False, "MetricStat": stat if period is None else {**stat, "Period": period}}


@pytest.mark.parametrize(
    ("told", "attempts"),
    [
        ({}, 10),
        ({"MAX_ATTEMPTS": "3"}, 3),
        ({"MAX_ATTEMPTS": "12", "MAX_RECEIVE_COUNT": "100"}, 12),
        ({"MAX_RECEIVE_COUNT": "4"}, 4),
        ({"MAX_RECEIVE_COUNT": "0"}, 10),
        ({"MAX_ATTEMPTS": "3", "DEAD_LETTER_QUEUE_URL": ""}, None),
    ],
)
def test_a_worker_of_ours_gives_a_message_up_after_its_own_attempts(
    tmp_path: Path, told: dict[str, str], attempts: int | None
) -> None:
    """Without a dead-letter queue of its own it leaves that to SQS, whose count of deliveries is a guard anyway."""
    body = template()
    (container,) = body["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    ours = {"CONCURRENCY": "1", "WORKER_NAME": "Orders", "DEAD_LETTER_QUEUE_URL": {"Ref": "Dead"}}
    given = [*container.get("Environment", [])]
    container["Environment"] = [*given, *({"Name": name, "Value": value} for name, value in (ours | told).items())]
    service = read_service(written(tmp_path, body))
    assert (service.task.backs_off, service.task.max_attempts) == (True, attempts)
    assert service.queue.max_receive_count == 4
    container["Environment"] = [*given, *({"Name": name, "Value": value} for name, value in told.items())]
    theirs = read_service(written(tmp_path, body))
    assert (theirs.task.backs_off, theirs.task.max_attempts, theirs.queue.max_receive_count) == (False, None, 4)


def test_a_service_is_read_with_its_queue_task_policies_and_alarms(tmp_path: Path) -> None:
    service = read_service(written(tmp_path, template()))
    assert service.name == "Service"
    assert (service.bounds, service.initial_tasks) == (Bounds(1, 20), 3)
    assert service.queue == Queue(visibility_timeout=90, max_receive_count=4, retention=345_600, fifo=False)
    assert service.task == Task(vcpus=0.5, gibibytes=1, stop_timeout=60)
    (read,) = service.alarms
    assert (read.threshold, read.policies, read.missing_data) == (100, ["Out"], "missing")
    assert read.query == Query(metrics={"metric": Metric(source="visible")})
    assert (service.steps["Out"].cooldown, service.steps["Out"].aggregation) == (300, "Average")


def test_what_our_constructs_tell_the_runtime_is_read_too(tmp_path: Path) -> None:
    told = {"CONCURRENCY": "8", "WORKER_NAME": "Orders", "RATE_LIMIT_PER_SECOND": "25"}
    container = {"Environment": [{"Name": name, "Value": value} for name, value in told.items()]}
    task = resource("AWS::ECS::TaskDefinition", Cpu=1024, Memory=2048, ContainerDefinitions=[container])
    service = read_service(written(tmp_path, template(Task=task)))
    assert service.task == Task(
        vcpus=1,
        gibibytes=2,
        concurrency=8,
        prefetches=True,
        protected=True,
        stop_timeout=30,
        rate_limit=25,
        backs_off=True,
    )


@pytest.mark.parametrize(("longest", "protected"), [(None, True), ("105", False), ("106", True)])
def test_a_worker_whose_handlers_all_end_within_the_drain_asks_for_no_protection(
    tmp_path: Path, longest: str | None, protected: bool
) -> None:
    told = {"CONCURRENCY": "8", "WORKER_NAME": "Orders"} | ({"MAX_PROCESSING_SECONDS": longest} if longest else {})
    container = {"Environment": [{"Name": name, "Value": value} for name, value in told.items()], "StopTimeout": 120}
    task = resource("AWS::ECS::TaskDefinition", Cpu=1024, Memory=2048, ContainerDefinitions=[container])
    assert read_service(written(tmp_path, template(Task=task))).task.protected is protected


def test_metric_math_is_read_in_the_order_in_which_it_is_needed(tmp_path: Path) -> None:
    metrics = [
        query("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
        query("running", "AWS/ECS", "CPUUtilization", "SampleCount"),
        {"Id": "result", "Expression": "visible / tasks", "ReturnData": True},
        {"Id": "tasks", "Expression": "IF(FILL(running, 0) < 1, 1, running)", "ReturnData": False},
    ]
    service = read_service(written(tmp_path, template(Deep=alarm("Out", Metrics=metrics, Threshold=10))))
    read = service.alarms[0].query
    assert read.metrics == {"visible": Metric(source="visible"), "running": Metric(source="running", combination="sum")}
    assert [name for name, _ in read.expressions] == ["tasks", "result"]


def test_target_tracking_is_read_with_its_math(tmp_path: Path) -> None:
    metrics = [
        query("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", period=None),
        {"Id": "result", "Expression": "visible * 2"},
    ]
    metrics[0]["MetricStat"]["Stat"] = "Average"
    policy = tracking(TargetValue=10, ScaleInCooldown=60, CustomizedMetricSpecification={"Metrics": metrics})
    service = read_service(written(tmp_path, template(Out=NO, Deep=NO, Track=policy)))
    (read,) = service.tracking
    assert read.policy == TrackingPolicy(target=10, scale_in_cooldown=60)
    assert read.query.expressions == [("result", "visible * 2")]


def test_bounds_may_be_a_parameters_default(tmp_path: Path) -> None:
    definition = template(Target=target(MaxCapacity={"Ref": "Most"}))
    definition["Parameters"] = {"Most": {"Type": "Number", "Default": 7}}
    assert read_service(written(tmp_path, definition)).bounds == Bounds(1, 7)


def test_a_service_may_be_named_by_a_substitution(tmp_path: Path) -> None:
    changed = target(ResourceId={"Fn::Sub": "service/${Cluster}/${Service.Name}"})
    assert read_service(written(tmp_path, template(Target=changed))).name == "Service"


def test_daily_schedules_are_read(tmp_path: Path) -> None:
    action = {
        "ScheduledActionName": "Night",
        "Schedule": "cron(30 22 * * ? *)",
        "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 2},
    }
    service = read_service(written(tmp_path, template(Target=target(ScheduledActions=[action]))))
    schedule = Schedule(expression="cron(30 22 * * ? *)")
    assert service.scheduled == [ScheduledAction(name="Night", minute=1350, schedule=schedule, minimum=0, maximum=2)]


@pytest.mark.parametrize(
    ("strategy", "spot_from"),
    [
        ([], None),
        ([("FARGATE", 2, 0), ("FARGATE_SPOT", 0, 1)], 2),
        ([("FARGATE_SPOT", 0, 1)], 0),
        ([("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 1)], None),
        ([("FARGATE", 0, 1)], None),
    ],
)
def test_which_tasks_run_on_spot_is_read_where_it_is_certain(
    tmp_path: Path, strategy: list[tuple[str, int, int]], spot_from: int | None
) -> None:
    providers = [{"CapacityProvider": name, "Base": base, "Weight": weight} for name, base, weight in strategy]
    service = resource(
        "AWS::ECS::Service", TaskDefinition={"Ref": "Task"}, DesiredCount=3, CapacityProviderStrategy=providers
    )
    assert read_service(written(tmp_path, template(Service=service))).task.spot_from == spot_from


def test_a_queue_that_only_the_container_knows_is_followed(tmp_path: Path) -> None:
    container = {
        "Environment": [{"Name": "URL", "Value": {"Ref": "Queue"}}, {"Name": "DEAD", "Value": {"Ref": "Dead"}}]
    }
    task = resource("AWS::ECS::TaskDefinition", Cpu=256, Memory=512, ContainerDefinitions=[container])
    policy = tracking(
        TargetValue=50, PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    )
    service = read_service(written(tmp_path, template(Task=task, Out=NO, Deep=NO, Track=policy)))
    assert service.queue.visibility_timeout == 90


def planned_step() -> Definition:
    return {**step(1), "Metadata": {"fargate-workers": {"planner": {"worker": "Orders", "policy": {"concurrency": 2}}}}}


GAP = {"Namespace": "FargateWorkers/Scaling", "MetricName": "CapacityGap", "Statistic": "Maximum", "Period": 60}


def test_the_planner_is_found_by_the_metadata_of_the_policies(tmp_path: Path) -> None:
    container = {"Environment": [{"Name": "URL", "Value": {"Ref": "Queue"}}]}
    task = resource("AWS::ECS::TaskDefinition", Cpu=256, Memory=512, ContainerDefinitions=[container])
    definition = template(Task=task, Out=planned_step(), Deep=alarm("Out", **GAP, Threshold=1))
    service = read_service(written(tmp_path, definition))
    assert service.planner == PlannerUse(worker="Orders", policy={"concurrency": 2})
    assert service.alarms[0].query.metrics["metric"].source == "capacity_gap"


CUSTOM = {"Namespace": "Orders", "MetricName": "Backlog", "Statistic": "Average", "Period": 60}


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (template(Target=NO, Out=NO, Deep=NO), "has no scaled ECS service"),
        (template(Out=NO, Deep=NO), "Target has no scaling policy; add one"),
        (template(Deep=alarm("Out", **CUSTOM, Threshold=1)), "Deep follows Average of Orders Backlog, whose values"),
        (template(Deep=alarm("Out", **GAP, Threshold=1)), "Deep follows Maximum of FargateWorkers/Scaling CapacityGap"),
        (
            template(Deep=alarm("Out", **{**VISIBLE, "Period": 10}, Threshold=1)),
            "Deep has a period of 10 s; only whole",
        ),
        (template(Deep=alarm("Out", **{**VISIBLE, "Statistic": "p99"}, Threshold=1)), "Deep follows p99 of AWS/SQS"),
        (
            template(Deep=alarm("Out", **VISIBLE, Threshold=1, ComparisonOperator="GreaterThanUpperThreshold")),
            "Deep.ComparisonOperator is 'GreaterThanUpperThreshold'; it must be one of GreaterThanOrEqual",
        ),
        (
            template(
                Deep=alarm(
                    "Out",
                    Threshold=1,
                    Metrics=[
                        query("a", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
                        {"Id": "r", "Expression": "FLUX(a)"},
                    ],
                )
            ),
            "Deep: FLUX with 1 arguments is not supported in metric math",
        ),
        (
            template(
                Track=tracking(
                    TargetValue=50,
                    PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
                )
            ),
            "PredefinedMetricType is ECSServiceAverageMemoryUtilization, which a load of messages does not tell",
        ),
        (
            template(Target=target(MaxCapacity={"Ref": "Most"})),
            "Target.MaxCapacity is known only when deployed: the template defines no Most",
        ),
        (
            template(Target=target(ScheduledActions=[{"Schedule": "cron(0 25 * * ? *)"}])),
            r"Target has the scheduled action .*: cron\(0 25 \* \* \? \*\) has '25', which AWS does not know",
        ),
        (template(Target=target(ResourceId="service/a/b")), "Target scales a service that the template does not hold"),
        (template(Service=resource("AWS::ECS::Service", TaskDefinition="arn")), "a task definition that the template"),
        (
            template(
                More=resource("AWS::SQS::Queue"),
                Other=alarm(
                    "Out",
                    **{
                        **VISIBLE,
                        "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["More", "QueueName"]}}],
                    },
                    Threshold=1,
                ),
            ),
            r"Service follows several queues \(Queue, More\); only one",
        ),
    ],
)
def test_what_cannot_be_simulated_gets_one_sentence(tmp_path: Path, definition: Definition, sentence: str) -> None:
    with pytest.raises(SimulationError, match=sentence) as caught:
        read_services(written(tmp_path, definition))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not JSON; give the template that `cdk synth` writes"),
        ("Resources:\n  Queue:\n", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "has no Resources"),
        ('{"Resources": []}', "has no Resources"),
        (None, "neither a cloud assembly nor a template"),
    ],
)
def test_what_is_no_template_gets_one_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "template.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SimulationError, match=sentence):
        read_services(path)


def test_a_folder_without_an_assembly_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="There is no cloud assembly in"):
        read_services(tmp_path)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the CDK's own queue processing services, one of them with its defaults."""
    app = cdk.App(outdir=str(tmp_path_factory.mktemp("cdk")), context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(account="111111111111", region="eu-west-1"))
    image = ecs.ContainerImage.from_registry("public.ecr.aws/docker/library/busybox")
    patterns.QueueProcessingFargateService(stack, "Narrow", image=image)
    patterns.QueueProcessingFargateService(stack, "Wide", image=image, max_scaling_capacity=50)
    app.synth()
    return Path(app.outdir)


def test_the_cdks_own_queue_service_is_read_as_it_is(assembly: Path) -> None:
    service = read_service(assembly, name="Narrow")
    assert service.bounds == Bounds(1, 2)
    assert service.queue == Queue(visibility_timeout=30, max_receive_count=3)
    assert {policy.cooldown for policy in service.steps.values()} == {300}
    assert {tuple(read.query.metrics.values()) for read in service.alarms} == {(Metric(source="visible", minutes=5),)}
    (cpu,) = service.tracking
    assert (cpu.policy.target, cpu.query.metrics["cpu"].source) == (50, "cpu")


def test_the_cdks_own_queue_service_simulates(assembly: Path) -> None:
    load = built_in("burst")
    narrow = simulate(read_service(assembly, name="Narrow"), load, slo=300)
    wide = simulate(replace(read_service(assembly, name="Wide"), initial_tasks=5), load, slo=300)
    assert narrow.missed_percent > 90
    assert wide.missed_percent < 10
    assert wide.reversals > 50


def test_one_of_several_services_must_be_named(assembly: Path) -> None:
    with pytest.raises(
        SimulationError, match=r"has 2 scaled services; choose one with --service: Shop/Narrow/.*, Shop/Wide/"
    ):
        read_service(assembly)
    with pytest.raises(SimulationError, match="has no scaled service Other; choose one with --service: Shop"):
        read_service(assembly, name="Other")


@pytest.mark.parametrize(
    "changes",
    [
        {"Deep": alarm(**VISIBLE, Threshold=100)},
        {"Deep": alarm("Out", **VISIBLE, Threshold=100, ActionsEnabled=False)},
        {"Deep": alarm("Out", **VISIBLE, Threshold=100, ActionsEnabled="false")},
        {"Deep": NO},
        # One of two.
        {"More": step(5)},
    ],
)
def test_a_step_policy_that_nothing_in_the_template_triggers_is_refused(
    tmp_path: Path, changes: dict[str, Definition]
) -> None:
    with pytest.raises(SimulationError, match=r"(Out|More) is triggered by no alarm of the template"):
        read_service(written(tmp_path, template(**changes)))


def test_a_target_with_a_schedule_alone_is_refused(tmp_path: Path) -> None:
    actions = [{"ScheduledActionName": "Night", "Schedule": "cron(0 22 * * ? *)"}]
    with pytest.raises(SimulationError, match="Target has no scaling policy; add one"):
        read_service(written(tmp_path, template(Out=NO, Deep=NO, Target=target(ScheduledActions=actions))))


@pytest.mark.parametrize(
    "changes",
    [{"LaunchType": "EC2"}, {"LaunchType": "EXTERNAL"}, {"CapacityProviderStrategy": [{"CapacityProvider": "Big"}]}],
)
def test_tasks_that_do_not_run_on_fargate_are_refused(tmp_path: Path, changes: Definition) -> None:
    service = resource("AWS::ECS::Service", TaskDefinition={"Ref": "Task"}, **changes)
    with pytest.raises(SimulationError, match=r"Service\.(LaunchType|CapacityProviderStrategy.*) is .*FARGATE"):
        read_service(written(tmp_path, template(Service=service)))


def steps(*ranges: tuple[float | None, float | None]) -> list[dict[str, float]]:
    bounds = ("MetricIntervalLowerBound", "MetricIntervalUpperBound")
    return [
        {"ScalingAdjustment": 1} | {name: bound for name, bound in zip(bounds, each, strict=True) if bound is not None}
        for each in ranges
    ]


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ([(0, 100), (50, None)], "has steps that overlap from 50 to 100"),
        ([(0, None), (50, None)], "has steps that overlap from 50 to inf"),
        ([(None, 0), (None, -10)], "has steps that overlap"),
        ([(0, 100), (100, 200), (300, None)], "has a gap between its steps, from 200 to 300"),
        ([(300, None), (0, 100)], "has a gap between its steps, from 100 to 300"),
        ([(0, 100)], "has no step above 100; leave the upper bound of that step out"),
        ([(-100, 0), (0, None)], "has no step below -100; leave the lower bound of that step out"),
        ([(100, 0)], "has a step that ends at 0 before it begins at 100"),
        ([(None, None)], "has a step without a lower and an upper bound"),
        ([], "has no steps"),
    ],
)
def test_steps_that_aws_refuses_are_refused(
    tmp_path: Path, ranges: list[tuple[float | None, float | None]], sentence: str
) -> None:
    with pytest.raises(SimulationError, match=sentence):
        read_service(written(tmp_path, template(Out=step(1, StepAdjustments=steps(*ranges)))))


@pytest.mark.parametrize(
    "ranges", [[(0, 100), (100, None)], [(100, None), (0, 100)], [(None, -10), (-10, 0), (0, None)]]
)
def test_steps_in_any_order_that_touch_are_read(
    tmp_path: Path, ranges: list[tuple[float | None, float | None]]
) -> None:
    read = read_service(written(tmp_path, template(Out=step(1, StepAdjustments=steps(*ranges)))))
    assert len(read.steps["Out"].steps) == len(ranges)


RUNNING = {
    "Namespace": "ECS/ContainerInsights",
    "MetricName": "RunningTaskCount",
    "Dimensions": [
        {"Name": "ClusterName", "Value": "cluster"},
        {"Name": "ServiceName", "Value": {"Fn::GetAtt": ["Service", "Name"]}},
    ],
}


@pytest.mark.parametrize("period", [None, 60])
@pytest.mark.parametrize("expression", ["m1 / m2", "(m1 + m3) / m2", "m1 / FILL(m2, 1)"])
def test_the_backlog_per_task_of_awss_guides_is_read(tmp_path: Path, period: int | None, expression: str) -> None:
    """The sum of visible messages over the mean of running tasks, as ECS's and the CDK's examples have it."""
    definition = tracking(
        TargetValue=100,
        CustomizedMetricSpecification={
            "Metrics": [
                query("m1", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", period=period),
                query("m3", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Sum", period=period),
                {"Id": "m2", "ReturnData": False, "MetricStat": {"Metric": RUNNING, "Stat": "Average"}},
                {"Id": "e1", "Expression": expression, "Label": "Backlog per task", "ReturnData": True},
            ]
        },
    )
    (read,) = read_service(written(tmp_path, template(Out=NO, Deep=NO, Track=definition))).tracking
    assert read.query.metrics["m1"] == Metric(source="visible", combination="sum")
    assert read.query.expressions == [("e1", expression)]


def test_an_expression_over_expressions_is_read(tmp_path: Path) -> None:
    definition = tracking(
        TargetValue=100,
        CustomizedMetricSpecification={
            "Metrics": [
                {"Id": "e2", "Expression": "backlog / tasks", "ReturnData": True},
                {"Id": "backlog", "Expression": "m1 + m3", "ReturnData": False},
                {"Id": "tasks", "Expression": "IF(m2 < 1, 1, m2)", "ReturnData": False},
                query("m1", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum"),
                query("m3", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum"),
                {"Id": "m2", "ReturnData": False, "MetricStat": {"Metric": RUNNING, "Stat": "Average"}},
            ]
        },
    )
    (read,) = read_service(written(tmp_path, template(Out=NO, Deep=NO, Track=definition))).tracking
    assert [name for name, _ in read.query.expressions] == ["backlog", "tasks", "e2"]


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (
            template(
                Deep=alarm(
                    "Out",
                    ComparisonOperator="GreaterThanUpperThreshold",
                    ThresholdMetricId="band",
                    Metrics=[
                        query("a", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
                        {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(a, 2)", "ReturnData": True},
                    ],
                )
            ),
            "is an anomaly detection band, which CloudWatch learns from the past",
        ),
        (
            template(
                Track=tracking(
                    TargetValue=50,
                    PredefinedMetricSpecification={
                        "PredefinedMetricType": "ECSServiceAverageCPUUtilizationHighResolution"
                    },
                )
            ),
            "is ECSServiceAverageCPUUtilizationHighResolution, which is seen more than once a minute",
        ),
    ],
)
def test_the_reason_of_a_refusal_is_the_true_one(tmp_path: Path, definition: Definition, sentence: str) -> None:
    with pytest.raises(SimulationError, match=sentence):
        read_service(written(tmp_path, definition))


def test_of_services_with_the_same_name_only_those_are_named(assembly: Path) -> None:
    with pytest.raises(SimulationError, match=r"has 2 scaled services called Shop; choose one with --service: Shop/N"):
        read_service(assembly, name="Shop")

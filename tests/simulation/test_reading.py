"""What the simulator reads out of templates, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as patterns

from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import Metric, PlannerUse, Query, Queue, ScheduledAction, Task
from fargate_workers_toolkit.simulation.simulate import simulate
from fargate_workers_toolkit.simulation.templates.reading import read_service, read_services
from tests.simulation.templates import (
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
        vcpus=1, gibibytes=2, concurrency=8, prefetches=True, protected=True, stop_timeout=30, rate_limit=25
    )


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
    assert service.scheduled == [ScheduledAction(name="Night", minute=22 * 60 + 30, minimum=0, maximum=2)]


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
            template(Target=target(ScheduledActions=[{"Schedule": "rate(1 day)"}])),
            r"Target has the scheduled action rate\(1 day\); only daily ones",
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

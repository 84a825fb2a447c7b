"""Templates that others wrote, well and badly."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as patterns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.built_in import steady
from fargate_workers_toolkit.simulation.model import Queue, Task
from fargate_workers_toolkit.simulation.reading.services import read_service, read_services
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.foreign_templates import by_copilot, by_hand
from tests.toolkit.simulation.templates import Definition, alarm, resource, step, template, written


def changed(definition: Definition, *path: str | int, to: Any) -> Definition:
    """`to`: None takes it away."""
    copy = deepcopy(definition)
    place: Any = copy["Resources"]
    for name in path[:-1]:
        place = place[name]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return copy


def test_a_template_written_by_hand_is_read(tmp_path: Path) -> None:
    service = read_service(written(tmp_path, by_hand()), name="Invoices")
    assert (service.bounds, service.initial_tasks) == (Bounds(1, 40), 4)
    # Without a redrive policy nothing is ever given up.
    assert service.queue == Queue(visibility_timeout=120, max_receive_count=None)
    assert service.task == Task(vcpus=1, gibibytes=2, stop_timeout=90)
    assert [(each.name, each.threshold, each.evaluation_periods, each.policies) for each in service.alarms] == [
        ("InvoicesIdle", 0, 5, ["InvoicesIn"]),
        ("InvoicesDeep", 100, 1, ["InvoicesOut"]),
    ]
    assert [(step.adjustment, step.lower, step.upper) for step in service.steps["InvoicesOut"].steps] == [
        (2, 0, 400),
        (5, 400, float("inf")),
    ]
    assert simulate(service, steady(5, seconds=7_200), slo=600).residual == 0


def test_a_service_is_found_by_the_name_it_is_given(tmp_path: Path) -> None:
    service = read_service(written(tmp_path, by_hand()), name="Mails")
    assert [(each.name, each.policy.target) for each in service.tracking] == [("MailsCpu", 60)]
    assert (service.bounds, service.initial_tasks, service.alarms) == (Bounds(1, 40), 1, [])


def test_what_cannot_be_read_of_one_service_does_not_matter_to_another(tmp_path: Path) -> None:
    broken = changed(by_hand(), "InvoicesOut", "Properties", "PolicyType", to="PredictiveScaling")
    path = written(tmp_path, broken)
    assert read_service(path, name="Mails").name == "Mails"
    with pytest.raises(SimulationError, match=r"InvoicesOut.PolicyType is 'PredictiveScaling'; it must be one of Step"):
        read_service(path, name="Invoices")


def test_of_several_services_one_must_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="has 2 scaled services; choose one with --service: Invoices, Mails"):
        read_service(written(tmp_path, by_hand()))


def test_a_queue_that_delays_nothing_is_like_one_that_says_nothing_of_it(tmp_path: Path) -> None:
    said = changed(template(), "Queue", "Properties", "DelaySeconds", to="0")
    assert read_service(written(tmp_path, said)).queue == read_service(written(tmp_path, template())).queue


def test_a_queue_that_the_worker_sends_to_is_not_the_one_it_reads(tmp_path: Path) -> None:
    container = {
        "Environment": [
            {"Name": "RESULTS_QUEUE_URL", "Value": {"Ref": "Results"}},
            {"Name": "QUEUE_URL", "Value": {"Ref": "Queue"}},
        ]
    }
    task = resource("AWS::ECS::TaskDefinition", Cpu=256, Memory=512, ContainerDefinitions=[container])
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    policy = resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        PolicyType="TargetTrackingScaling",
        ScalingTargetId={"Ref": "Target"},
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 50, "PredefinedMetricSpecification": metric},
    )
    definition = template(Task=task, Out=policy, Deep={}, Results=resource("AWS::SQS::Queue", VisibilityTimeout=7))
    assert read_service(written(tmp_path, definition)).queue.visibility_timeout == 90


def named(worker: Any) -> Definition:
    """Planned policies, as this project's constructs write them."""
    gap = {
        "Namespace": "FargateWorkers/Scaling",
        "MetricName": "CapacityGap",
        "Statistic": "Maximum",
        "Period": 60,
        "Dimensions": [{"Name": "Worker", "Value": {"Fn::Join": ["", [{"Ref": "AWS::StackName"}, "/Orders"]]}}],
    }
    definition = template(Deep=alarm("Out", **gap, Threshold=1))
    policy = {"acceptable_latency": 300, "processing_time": 1, "max_tasks": 20, "mode": "cost"}
    definition["Resources"]["Out"]["Metadata"] = {"fargate-workers": {"planner": {"worker": worker, "policy": policy}}}
    definition["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]["Environment"] = [
        {"Name": "QUEUE_URL", "Value": {"Ref": "Queue"}}
    ]
    return definition


def test_a_worker_is_called_by_its_stack(tmp_path: Path) -> None:
    joined = {"Fn::Join": ["", [{"Ref": "AWS::StackName"}, "/Orders"]]}
    service = read_service(written(tmp_path, named(joined)))
    assert service.planner is not None
    assert (service.planner.worker, service.planner.policy["mode"]) == ("Orders/Orders", "cost")


def test_the_plans_for_another_worker_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="is Orders/Orders, and the policy follows the plans for Invoices; name"):
        read_service(written(tmp_path, named("Invoices")))


ELSEWHERE = {"Fn::ImportValue": "elsewhere"}


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (
            template(Out=step(2, MetricAggregationType="p99")),
            "MetricAggregationType is 'p99'; it must be one of Average, Minimum, Maximum",
        ),
        (
            by_copilot(),
            "follows Average of app-env-orders-BacklogPerTask BacklogPerTask, whose",
        ),
        (
            changed(template(), "Service", "Properties", "DesiredCount", to="many"),
            "Service.DesiredCount is 'many'; it must",
        ),
        (
            changed(template(), "Target", "Properties", "MaxCapacity", to=ELSEWHERE),
            "Target.MaxCapacity is known only",
        ),
        (
            changed(template(), "Target", "Properties", "MaxCapacity", to=0),
            "Target.MaxCapacity is 0; it must be a number",
        ),
        (changed(template(), "Target", "Properties", "MinCapacity", to=None), "Target has no MinCapacity; add it"),
        (changed(template(), "Target", "Properties", "MinCapacity", to=True), "Target.MinCapacity is True; it must be"),
        (
            changed(template(), "Deep", "Properties", "Threshold", to=ELSEWHERE),
            "Deep.Threshold is known only when",
        ),
        (
            changed(template(), "Deep", "Properties", "Threshold", to="NaN"),
            "Deep.Threshold is 'NaN'; it must be a number",
        ),
        (changed(template(), "Deep", "Properties", "EvaluationPeriods", to=0), "from 1 to 10,080"),
        (
            changed(template(), "Deep", "Properties", "DatapointsToAlarm", to=2),
            "DatapointsToAlarm is 2; it must",
        ),
        (
            changed(template(), "Deep", "Properties", "TreatMissingData", to="maybe"),
            "it must be one of missing, notBr",
        ),
        (
            changed(template(), "Deep", "Properties", "Dimensions", 0, "Value", to=ELSEWHERE),
            r"Deep.Dimensions\[0\].Value is no queue of the template; give the whole cloud assembly",
        ),
        (changed(template(), "Deep", "Properties", "Dimensions", to=[]), "Deep has no dimension QueueName; add it"),
        (
            changed(template(), "Deep", "Properties", "OKActions", to=[{"Ref": "Out"}]),
            "Deep.OKActions scales; only Alarm",
        ),
        (changed(template(), "Deep", "Condition", to="Asked"), "Deep may exist or not, known only when deployed"),
        (
            changed(template(), "Task", "Properties", "Cpu", to="much"),
            "Task.Cpu is 'much'; it must be a size such as 512",
        ),
        (
            changed(template(), "Task", "Properties", "ContainerDefinitions", to=[]),
            "ContainerDefinitions is a list; it",
        ),
        (
            changed(template(), "Queue", "Properties", "RedrivePolicy", to="{"),
            "Queue.RedrivePolicy is '{'; it must be an",
        ),
        (changed(template(), "Queue", "Properties", "VisibilityTimeout", to=-1), "a number from 0 to 43,200"),
        (changed(template(), "Queue", "Properties", "MessageRetentionPeriod", to=9), "a number from 60 to 1,209,600"),
        (changed(template(), "Queue", "Properties", "DelaySeconds", to=30), "DelaySeconds hides each message for 30 s"),
        (changed(template(), "Queue", "Properties", "DelaySeconds", to=901), "a number from 0 to 900"),
    ],
)
def test_what_matters_and_is_not_known_or_wrong_gets_one_sentence(
    tmp_path: Path, definition: Definition, sentence: str
) -> None:
    path = written(tmp_path, definition)
    with pytest.raises(SimulationError, match=sentence) as caught:
        read_service(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        ("Service", "Properties", "Cluster"),
        ("Service", "Properties", "NetworkConfiguration"),
        ("Task", "Properties", "ExecutionRoleArn"),
        ("Queue", "Properties", "KmsMasterKeyId"),
        ("Deep", "Properties", "AlarmDescription"),
        ("Target", "Properties", "RoleARN"),
    ],
)
@pytest.mark.parametrize("value", [ELSEWHERE, {"Fn::Transform": {"Name": "x"}}, {"Ref": "Nothing"}])
def test_what_does_not_matter_may_be_unknown(tmp_path: Path, path: tuple[str, ...], value: Definition) -> None:
    assert read_service(written(tmp_path, changed(template(), *path, to=value))).alarms


@pytest.fixture(scope="module")
def cdks_own(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    app = cdk.App(outdir=str(tmp_path_factory.mktemp("cdk")))
    stack = cdk.Stack(app, "Shop")
    image = ecs.ContainerImage.from_registry("public.ecr.aws/docker/library/busybox")
    patterns.QueueProcessingFargateService(stack, "Orders", image=image)
    app.synth()
    definition = json.loads((Path(app.outdir) / "Shop.template.json").read_text())
    # Networks, roles and logs are most of it, and do not matter.
    matter = ("AWS::SQS", "AWS::ECS", "AWS::ApplicationAutoScaling", "AWS::CloudWatch")
    every = definition["Resources"].items()
    return {**definition, "Resources": {name: item for name, item in every if item["Type"].startswith(matter)}}


LOAD = steady(2, seconds=600)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([[], {}, [1], {"a": 1}, [[]], "60", "NaN", "${Queue}", "service/a/b"]),
    st.sampled_from([{"Ref": "Queue"}, {"Ref": "Target"}, {"Ref": "Nothing"}, {"Ref": "AWS::NoValue"}, {"Ref": {}}]),
    st.sampled_from([ELSEWHERE, {"Fn::GetAtt": "Queue"}, {"Fn::GetAtt": [1]}, {"Fn::Sub": 1}, {"Fn::If": ["a", 1, 2]}]),
    st.sampled_from([{"Fn::Join": ["", [{"Ref": "Service"}, 1]]}, {"Fn::Select": ["x", []]}, {"Fn::Split": ["", ""]}]),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything in a template that could be taken away or replaced: what holds it, and by which name."""
    names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from places(value[name])


def broken(definition: Definition, data: st.DataObject) -> Definition:
    copy = deepcopy(definition)
    for _ in range(data.draw(st.integers(1, 3), label="how many")):
        every = list(places(copy["Resources"]))
        holder, name = every[data.draw(st.integers(0, len(every) - 1), label="where")]
        if data.draw(st.booleans(), label="taken away"):
            del holder[name]
        else:
            holder[name] = deepcopy(data.draw(ODD, label="instead"))
    return copy


@pytest.mark.parametrize("kind", ["ours", "planned", "by hand", "the CDK's own"])
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_broken_template_is_read_or_refused_in_a_sentence(
    kind: str, data: st.DataObject, cdks_own: Definition, tmp_path_factory: pytest.TempPathFactory
) -> None:
    makers: dict[str, Callable[[], Definition]] = {
        "ours": template,
        "planned": lambda: named("Orders/Orders"),
        "by hand": by_hand,
        "the CDK's own": lambda: cdks_own,
    }
    path = tmp_path_factory.getbasetemp() / "Orders.template.json"
    path.write_text(json.dumps(broken(makers[kind](), data)))
    refused = ""
    try:
        for service in read_services(path):
            simulate(service, LOAD, slo=300)
    except SimulationError as error:
        refused = str(error)
    assert "\n" not in refused
    assert refused == "" or refused.endswith(".")

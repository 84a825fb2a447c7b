"""Names that AWS takes fewer characters for, ids that are unique and known, and what an image was built for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from constructs import Construct

from fargate_workers import (
    Alerts,
    DeadLetterRedrive,
    ObjectCreatedTask,
    QueueWorker,
    RedisCache,
    Scaling,
    ScheduledTask,
    StoppedTasks,
    WorkerCluster,
    worker_image,
)
from fargate_workers.cloudformation.names.plain_text import dimension
from tests.doubles.stack_facts import Facts, image

LONG = "Orders" * 50
IDS = ["Orders & Invoices", "注文" * 20, "Заказы: *важно*", "Bestellungen für Ülm, 'eilig'", LONG]


def cluster(scope: Construct, **options: Any) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        scope, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(scope, "Cluster", network="nat", vpc=vpc, **options)


def facts(stack: Stack) -> Facts:
    return Facts(Template.from_stack(stack).to_json())


def text(value: Any) -> str:
    """The text with names as long as CloudFormation makes them for a queue in the place of references."""
    if isinstance(value, str):
        return value
    ((function, operand),) = value.items()
    return "".join(text(part) for part in operand[1]) if function == "Fn::Join" else "n" * 80


@pytest.fixture(scope="module", params=IDS, ids=["ampersand", "japanese", "russian", "german", "long"])
def named(request: pytest.FixtureRequest) -> Facts:
    name = str(request.param)
    stack = Stack(App(), "Shop")
    ours = cluster(stack, alerts=Alerts(stack, f"Alerts {name}"))
    orders = QueueWorker(
        stack, f"Queue {name}", cluster=ours, image=image(), cache=RedisCache(stack, name, cluster=ours)
    )
    bucket = s3.Bucket(stack, f"Bucket {name}")
    orders.on_object_created(bucket, prefix="in/")
    ScheduledTask(stack, f"Schedule {name}", cluster=ours, image=image(), schedule="rate(1 hour)")
    ObjectCreatedTask(stack, f"Object {name}", cluster=ours, image=image(), bucket=bucket)
    DeadLetterRedrive(stack, f"Redrive {name}", cluster=ours, workers=[orders])
    return facts(stack)


def test_outputs_are_no_longer_than_cloudformation_takes(named: Facts) -> None:
    values = [text(output["Value"]) for output in named.outputs.values()]

    assert len(values) == 2
    assert [value for value in values if len(value) > 1_024] == []


def test_group_descriptions_have_the_characters_that_ec2_takes(named: Facts) -> None:
    descriptions = [each["GroupDescription"] for each in named.all("EC2::SecurityGroup")]

    assert len(descriptions) > 3
    assert [
        each for each in descriptions if not re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", each)
    ] == []


def test_metrics_go_by_ascii(named: Facts) -> None:
    names = {
        each["Value"]
        for alarm in named.all("CloudWatch::Alarm")
        for metric in [
            alarm,
            *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
        ]
        for each in metric.get("Dimensions", [])
        if each["Name"] == "Worker"
    }
    variables = {
        each["Value"]
        for definition in named.all("ECS::TaskDefinition")
        for each in definition["ContainerDefinitions"][0]["Environment"]
        if each["Name"] == "WORKER_NAME"
    }

    assert names
    assert names <= variables
    assert [each for each in variables if not re.fullmatch(r"[ -~]{1,255}", each)] == []


def test_log_streams_begin_with_what_logs_take(named: Facts) -> None:
    prefixes = [
        each["ContainerDefinitions"][0]["LogConfiguration"]["Options"]["awslogs-stream-prefix"]
        for each in named.all("ECS::TaskDefinition")
    ]

    assert len(prefixes) == 3
    assert [each for each in prefixes if not re.fullmatch(r"[^:*]{1,400}", each)] == []


def test_descriptions_are_no_longer_than_they_may_be(named: Facts) -> None:
    alarms = [text(each["AlarmDescription"]) for each in named.all("CloudWatch::Alarm") if "AlarmDescription" in each]

    assert [each for each in alarms if len(each) > 1_024] == []
    assert [each for each in alarms if "Runbook" in each and not each.startswith("Shop/")] == []
    assert [each for each in named.all("Events::Rule") if len(each.get("Description", "")) > 512] == []


def test_logical_ids_and_families_are_right(named: Facts) -> None:
    assert [each for each in named.resources if not re.fullmatch(r"[A-Za-z0-9]{1,255}", each)] == []
    assert [
        each for each in named.all("ECS::TaskDefinition") if not re.fullmatch(r"[\w-]{1,255}", each["Family"])
    ] == []


def test_a_name_that_had_to_change_is_still_nobody_elses() -> None:
    assert dimension("shop-Workers/Orders & more") == "shop-Workers/Orders & more"
    assert len({dimension(f"shop/{each}") for each in ("注文", "請求", "зак")}) == 3
    assert dimension(f"shop/{LONG}1") != dimension(f"shop/{LONG}2")


def orders(stack: Construct) -> QueueWorker:
    return QueueWorker(stack, "Orders", cluster=cluster(stack), image=image(), scaling=Scaling.on_queue_depth())


def test_buckets_of_one_id_and_prefixes_known_only_at_deployment_each_have_a_rule() -> None:
    stack = Stack(App(), "Shop")
    worker = orders(stack)
    for place in ("A", "B"):
        worker.on_object_created(s3.Bucket(Construct(stack, place), "Bucket"), prefix="in/")
    for name in ("First", "Second"):
        later = CfnParameter(stack, name).value_as_string
        worker.on_object_created(s3.Bucket(stack, f"{name}Bucket"), prefix=later)
        worker.on_object_created(s3.Bucket(Construct(stack, f"{name}Scope"), f"{name}Bucket"), prefix=later)

    assert facts(stack).count("Events::Rule") == 6


def test_one_reader_is_told_once_and_one_cluster_may_be_watched_twice() -> None:
    stack = Stack(App(), "Shop")
    twice = Alerts(stack, "Twice", emails=["a@example.com", "a@example.com", "a.b@example.com", "ab@example.com"])
    ours = cluster(stack, alerts=twice)
    StoppedTasks(ours, "StoppedTasks", cluster=ours)
    StoppedTasks(stack, "StoppedTasks", cluster=ours, alerts=Alerts(stack, "Others"))

    found = facts(stack)
    assert [each["Protocol"] for each in found.all("SNS::Subscription")].count("email") == 3
    assert found.count("Events::Rule") == 6


def test_tasks_of_one_id_may_read_the_same_bucket() -> None:
    stack = Stack(App(), "Shop")
    ours, bucket = cluster(stack), s3.Bucket(stack, "Files")
    for place in ("A", "B"):
        ObjectCreatedTask(Construct(stack, place), "Import", cluster=ours, image=image(), bucket=bucket, prefix=place)

    assert json.dumps(facts(stack).all("IAM::ManagedPolicy")).count('"s3:ListBucket"') == 2


def test_a_second_subscription_to_one_topic_is_refused_because_sns_knows_one() -> None:
    stack = Stack(App(), "Shop")
    worker, topic = orders(stack), sns.Topic(stack, "Topic")
    worker.subscribe(topic, filter_policy={"kind": ["order"]})
    with pytest.raises(ValueError, match="join both filters in one call"):
        worker.subscribe(topic, filter_policy={"kind": ["refund"]})


WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


def runs_on(stack: Stack, built: ecs.ContainerImage, **options: Any) -> str:
    ScheduledTask(stack, "Report", cluster=cluster(stack), image=built, schedule="rate(1 hour)", **options)
    platform = facts(stack).only("ECS::TaskDefinition")["RuntimePlatform"]
    return str(platform["CpuArchitecture"])


def test_a_task_follows_its_images_architecture() -> None:
    assert runs_on(Stack(App(), "A"), worker_image(WORKER_IMAGE, architecture="x86_64")) == "X86_64"
    assert runs_on(Stack(App(), "B"), worker_image(WORKER_IMAGE)) == "ARM64"
    assert runs_on(Stack(App(), "C"), image()) == "ARM64"
    assert runs_on(Stack(App(), "D"), image(), architecture="x86_64") == "X86_64"


@pytest.mark.parametrize(("built", "wanted"), [("arm64", "x86_64"), ("x86_64", "arm64")])
def test_a_task_refuses_an_image_of_another_architecture(built: Any, wanted: Any) -> None:
    with pytest.raises(ValueError, match=f'Report: the image is built for {built} and architecture is "{wanted}"'):
        runs_on(Stack(App(), "A"), worker_image(WORKER_IMAGE, architecture=built), architecture=wanted)


@pytest.mark.parametrize(
    ("timezone", "advice"),
    [("Europe/Berlim", 'did you mean "Europe/Berlin"'), ("0123456789", 'write one like "Europe/Berlin"')],
)
def test_a_time_zone_that_does_not_exist_is_refused(timezone: str, advice: str) -> None:
    with pytest.raises(ValueError, match=f"Report: timezone is '{timezone}', which is no IANA time zone; {advice}"):
        runs_on(Stack(App(), "A"), image(), timezone=timezone)


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "Etc/UTC", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_that_exists_is_taken(timezone: str) -> None:
    assert runs_on(Stack(App(), "A"), image(), timezone=timezone) == "ARM64"

"""Constructs and planner meet in the input of a rule: both sides, held together."""

import json
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import (
    KafkaCluster,
    KafkaTopic,
    QueueWorker,
    RedisCache,
    RedisList,
    RedisStream,
    Scaling,
    WorkerCluster,
)
from fargate_workers_planner.arithmetic import Policy
from fargate_workers_planner.handler import handler
from fargate_workers_planner.settings import Worker, workers
from fargate_workers_planner.sources import ConsumerGroup, Observed, Queue
from tests.doubles.stack_facts import Facts, image, synthesize


@pytest.fixture(scope="module")
def facts() -> Facts:
    def build(stack: Stack) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
        )
        cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)
        scalings = {"Orders": Scaling.for_latency(), "Slow": Scaling.for_latency(max_downstream_rate=2, mode="cost")}
        for name, scaling in scalings.items():
            QueueWorker(stack, name, cluster=cluster, image=image(), scaling=scaling)

    return synthesize({"stack": build})["stack"]


def deployed(value: Any) -> str:
    """A value as CloudFormation would fill it in: each reference by the id of what it refers to."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return str(value["Ref"])
    if "Fn::GetAtt" in value:
        return ".".join(value["Fn::GetAtt"])
    return "".join(deployed(part) for part in value["Fn::Join"][1])


def test_the_function_reads_the_workers_that_the_constructs_tell_it(facts: Facts) -> None:
    rule = facts.only("Events::Rule", ScheduleExpression="rate(1 minute)")
    orders, slow = workers(json.loads(deployed(rule["Targets"][0]["Input"])))

    assert orders.policy == Policy(acceptable_latency=300, processing_time=1, concurrency=10, min_tasks=1, max_tasks=10)
    assert (slow.policy.max_downstream_rate, slow.policy.mode) == (2, "cost")
    assert isinstance(orders, Worker)
    container = next(
        definition["ContainerDefinitions"][0]
        for definition in facts.all("ECS::TaskDefinition")
        if {"Name": "WORKER_NAME", "Value": "stack/Orders"} in definition["ContainerDefinitions"][0]["Environment"]
    )
    environment = {each["Name"]: deployed(each["Value"]) for each in container["Environment"]}
    assert orders.worker == environment["WORKER_NAME"]
    assert orders.source == Queue(url=environment["QUEUE_URL"], name=environment["QUEUE_NAME"])
    targets = [deployed(each["ResourceId"]) for each in facts.all("ApplicationAutoScaling::ScalableTarget")]
    assert f"service/{orders.cluster}/{orders.service}" in targets


def test_the_handler_is_where_the_function_looks_for_it(facts: Facts) -> None:
    (function,) = facts.all("Lambda::Function")
    assert function["Handler"] == f"{handler.__module__}.{handler.__name__}"


def test_every_policy_a_construct_writes_is_one_the_planner_takes() -> None:
    scaling = Scaling.for_latency(max_downstream_rate=5, launch_latency=Duration.seconds(90))
    found = scaling.planned("Orders", concurrency=3)
    assert found is not None
    taken = Policy(**json.loads(json.dumps(found.policy)))
    assert (taken.max_downstream_rate, taken.launch_latency) == (5, 90)


def test_the_function_reads_every_kind_of_source_that_a_construct_names() -> None:
    arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"

    def build(stack: Stack) -> None:
        cluster = WorkerCluster(stack, "Cluster", network="nat")
        group = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
        kafka = KafkaCluster.existing(stack, "Events", cluster_arn=arn, security_group=group)
        cache = RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction")
        sources = {
            "Apply": KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=24),
            "Ship": RedisStream(stack, "Parcels", cache=cache),
            "Work": RedisList(stack, "Jobs", cache=cache),
        }
        for name, source in sources.items():
            QueueWorker(stack, name, cluster=cluster, image=image(), source=source, cpu=2_048, memory_mib=4_096)

    rules = synthesize({"stack": build})["stack"].all("Events::Rule")
    (text,) = (deployed(rule["Targets"][0]["Input"]) for rule in rules if rule["Targets"][0]["Id"] == "Planner")
    apply, ship, work = workers(json.loads(text))

    # Each of a task's two processes takes partitions of its own.
    assert apply.source == ConsumerGroup(cluster="events", topic="orders", group="apply", partitions=12)
    assert (ship.source, work.source) == (Observed(source="stack/Parcels/ship"), Observed(source="stack/Jobs"))

"""Constructs and planner meet in one variable, one namespace and two numbers: both sides, held together."""

import json
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import QueueWorker, Scaling, WorkerCluster, latency_budget, latency_expressions, scaling_planner
from scaling_planner import arithmetic, publishing
from scaling_planner.arithmetic import Policy
from scaling_planner.settings import Worker, workers
from tests.unit.stack_facts import Facts, image, synthesize


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
    assert (orders.queue_url, orders.queue_name) == (environment["QUEUE_URL"], environment["QUEUE_NAME"])
    targets = [deployed(each["ResourceId"]) for each in facts.all("ApplicationAutoScaling::ScalableTarget")]
    assert f"service/{orders.cluster}/{orders.service}" in targets


def test_the_handler_is_where_the_function_looks_for_it(facts: Facts) -> None:
    (function,) = facts.all("Lambda::Function")
    assert function["Handler"] == "scaling_planner.handler.handler"


def test_the_policies_answer_what_is_published() -> None:
    assert scaling_planner.NAMESPACE == publishing.NAMESPACE
    assert latency_budget.LADDER == arithmetic.LADDER
    assert latency_budget.REACTION == arithmetic.REACTION


def test_without_a_function_the_arithmetic_has_the_same_numbers() -> None:
    for name in ("LEAST_DRAIN", "PATIENCE", "ROOM"):
        assert getattr(latency_expressions, name) == getattr(arithmetic, name)


def test_every_policy_a_construct_writes_is_one_the_planner_takes() -> None:
    found = Scaling.for_latency(max_downstream_rate=5).planned("Orders", concurrency=3)
    assert found is not None
    assert Policy(**json.loads(json.dumps(found.policy))).max_downstream_rate == 5

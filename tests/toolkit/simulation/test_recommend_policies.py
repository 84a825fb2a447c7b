"""What is tried is what the constructs synthesize: each policy, written by its line, deployed and read again."""

from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs

from fargate_workers import Scaling
from fargate_workers.scaling.policies import LatencyScaling
from fargate_workers.scaling.scaling_target import ScaledWorker
from fargate_workers.sources.sqs.worker_queue import queue_signals
from fargate_workers_toolkit.recommendation.candidates import candidates
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.policies import (
    ForLatency,
    ForLatencyInMath,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
)
from fargate_workers_toolkit.simulation.reading.services import read_service
from tests.toolkit.simulation.services import article
from tests.toolkit.simulation.test_recommend import waves

POLICIES = [
    ForLatency(acceptable_latency=300, processing_time=0.5, min_tasks=0, max_tasks=20, mode="balanced"),
    ForLatency(acceptable_latency=185, processing_time=2, min_tasks=2, max_tasks=7, mode="cost"),
    ForLatencyInMath(acceptable_latency=300, processing_time=0.5, min_tasks=0, max_tasks=20, mode="balanced"),
    ForLatencyInMath(acceptable_latency=185, processing_time=2, min_tasks=2, max_tasks=7, mode="cost"),
    ForLatencyInMath(acceptable_latency=1800, processing_time=0.03, min_tasks=1, max_tasks=70, mode="balanced"),
    OnQueueDepth(steps=((100, 2),), min_tasks=1, max_tasks=3),
    OnQueueDepth(steps=((100, 2), (300, 6), (1000, 20)), min_tasks=4, max_tasks=50),
    OnBacklogPerTask(messages=120, min_tasks=1, max_tasks=30),
]


def scaling_of(policy: Policy) -> Scaling:
    """As pasted into a stack."""
    return eval(policy.line, {"Scaling": Scaling, "Duration": cdk.Duration})


def deployed(policy: Policy, folder: Path) -> ScaledService:
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Shop")
    queue = sqs.CfnQueue(stack, "Queue")
    task = ecs.CfnTaskDefinition(
        stack,
        "Task",
        cpu="256",
        memory="512",
        container_definitions=[
            ecs.CfnTaskDefinition.ContainerDefinitionProperty(
                name="worker",
                image="busybox",
                environment=[ecs.CfnTaskDefinition.KeyValuePairProperty(name="QUEUE_URL", value=queue.ref)],
            )
        ],
    )
    service = ecs.CfnService(stack, "Service", task_definition=task.ref)
    worker = ScaledWorker(
        name="Service",
        environment="prod",
        cluster_name="workers",
        service_name=service.attr_name,
        signals=queue_signals(queue.attr_queue_name),
        concurrency=1,
    )
    scaling_of(policy).scale(stack, worker)
    app.synth()
    return read_service(folder)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.line)
def test_a_policy_is_what_its_line_synthesizes(policy: Policy, tmp_path: Path) -> None:
    read = deployed(policy, tmp_path)
    applied = policy.applied(replace(article(), name="Service", initial_tasks=1, queue=Queue(), task=Task()))
    assert replace(read, initial_tasks=0) == replace(applied, initial_tasks=0)


@pytest.mark.parametrize("slo", [60, 300, 3600])
def test_the_constructs_accept_every_candidate(slo: float) -> None:
    service = article()
    every = candidates(service, [waves(1, 50, 0, 0)], slo=slo, warm=25)
    assert len(every) == len(set(every)) > 80
    for policy in every:
        scaling = scaling_of(policy)
        if isinstance(scaling, LatencyScaling):
            scaling.planned("Orders", concurrency=service.task.concurrency)


def test_candidates_keep_to_the_most_tasks_that_are_wanted() -> None:
    every = candidates(article(), [waves(1, 50)], slo=300, warm=25, max_tasks=10)
    assert {policy.applied(article()).bounds.maximum for policy in every} == {10}


def test_a_service_is_let_sleep_only_where_a_load_pauses() -> None:
    def fewest(*heights: int) -> int:
        every = candidates(article(), [waves(*heights)], slo=300, warm=25)
        return min(policy.applied(article()).bounds.minimum for policy in every)

    assert (fewest(50, 1), fewest(50, 0)) == (1, 0)

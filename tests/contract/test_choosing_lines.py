"""The lines of Python that `fargate-workers choose` prints make what they name: they are synthesized."""

from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns

import fargate_workers
from fargate_workers import RedisCache, Scaling, WorkerCluster
from fargate_workers_toolkit.choosing import Offer, Workload, choose

#: The constructs that a line may name.
NAMES = (
    "Brokers",
    "KafkaCluster",
    "KafkaTopic",
    "QueueFunction",
    "QueueWorker",
    "RedisList",
    "RedisStream",
    "WorkerQueue",
)
WORKLOADS: Mapping[str, Workload] = {
    "plain": Workload(messages_a_day=1_000_000, losing="rarely"),
    "many": Workload(messages_a_day=100_000_000, losing="rarely", sending="single"),
    "slow": Workload(messages_a_day=1_000, losing="rarely", handler_seconds=400),
    "prompt": Workload(messages_a_day=1_000_000, losing="rarely", latency=0.05),
    "ordered": Workload(messages_a_day=1_000_000, ordering="key"),
    "in one order": Workload(messages_a_day=10_000, ordering="total", handler_seconds=0.01),
    "read by three": Workload(messages_a_day=1_000_000, losing="rarely", readers=3),
    "kept": Workload(messages_a_day=1_000_000, losing="rarely", replay=7 * 86_400),
}
#: The offers by their lines, so that equal ones are synthesized once.
OFFERS: Mapping[str, tuple[str, Offer]] = {
    "\n".join(offer.code): (f"{name}: {offer.system.name} on {offer.worker.name}", offer)
    for name, workload in WORKLOADS.items()
    for offer in choose(workload).offers
    if offer.possible and offer.worker.key != "keda"
}


@pytest.mark.parametrize("source", OFFERS, ids=[name for name, _ in OFFERS.values()])
def test_the_lines_synthesize(source: str) -> None:
    _, offer = OFFERS[source]
    app = App()
    stack = Stack(app, "Shop")
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    cluster = WorkerCluster(stack, "Cluster", network="nat", availability_zones=zones)
    repository = ecr.Repository.from_repository_name(stack, "Repository", "shop")
    given: dict[str, Any] = {
        "self": stack,
        "cluster": cluster,
        "image": ecs.ContainerImage.from_ecr_repository(repository, "1"),
        "cache": RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction"),
        "topic": sns.Topic(stack, "Topic", fifo=offer.system.name.endswith("FIFO") or None),
        "Duration": Duration,
        "Scaling": Scaling,
        **{each: getattr(fargate_workers, each) for each in NAMES},
    }

    exec(source, given)

    assert app.synth().get_stack_by_name("Shop").template["Resources"]

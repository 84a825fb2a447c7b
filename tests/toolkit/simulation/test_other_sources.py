"""A worker of a topic, a stream or a list in the simulator: lag instead of a queue, and partitions as a bound."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
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
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.engines.fluid.partitions import busy_slots
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.doubles.stack_facts import image

ARN = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"
WORKERS = ("Apply", "Stream", "List", "Depth")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScaledService]:
    folder = tmp_path_factory.mktemp("cdk.out")
    app = App(outdir=str(folder), context={"aws:cdk:enable-path-metadata": True})
    stack = Stack(app, "Stack")
    cluster = WorkerCluster(stack, "Cluster", network="nat")
    brokers = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
    kafka = KafkaCluster.existing(stack, "Events", cluster_arn=ARN, security_group=brokers)
    cache = RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction")
    sources: dict[str, Any] = {
        "Apply": KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=12),
        "Stream": RedisStream(stack, "Parcels", cache=cache, lease=Duration.seconds(60)),
        "List": RedisList(stack, "Jobs", cache=cache),
        "Depth": RedisStream(stack, "Other", cache=cache),
    }
    for name, source in sources.items():
        scaling = Scaling.on_queue_depth(max_tasks=12) if name == "Depth" else Scaling.for_latency(max_tasks=12)
        QueueWorker(stack, name, cluster=cluster, image=image(), source=source, scaling=scaling, concurrency=10)
    app.synth()
    return {name: read_service(folder, name=name) for name in WORKERS}


def test_a_topic_is_read_with_its_partitions(services: dict[str, ScaledService]) -> None:
    apply = services["Apply"]
    assert apply.partitions == 12
    assert apply.planner is not None
    assert (apply.planner.partitions, apply.planner.late) == (12, True)
    # A member that dies keeps its partitions until its session ends, and nothing counts deliveries.
    assert (apply.queue.visibility_timeout, apply.queue.max_receive_count, apply.task.max_attempts) == (45, None, 10)


def test_a_stream_and_a_list_are_read_with_their_leases(services: dict[str, ScaledService]) -> None:
    assert [services[name].queue.visibility_timeout for name in ("Stream", "List")] == [60, 120]
    assert [services[name].queue.max_receive_count for name in ("Stream", "List")] == [100, 100]
    assert services["Stream"].partitions is None
    assert services["Stream"].planner is not None
    assert services["Stream"].planner.late


@pytest.mark.parametrize("worker", WORKERS)
def test_every_kind_of_source_can_be_simulated_and_loses_nothing(
    worker: str, services: dict[str, ScaledService]
) -> None:
    result = simulate(services[worker], built_in("burst"), slo=300)

    assert result.lost == 0
    assert result.done > 0


def test_tasks_beyond_an_even_share_of_the_partitions_are_of_no_use() -> None:
    assert [busy_slots(tasks, concurrency=1, partitions=12) for tasks in range(13)] == [
        0, 1, 2, 3, 4, 4, 6, 6, 6, 6, 6, 6, 12,
    ]  # fmt: skip
    assert busy_slots(40, concurrency=10, partitions=12) == 120
    assert busy_slots(5, concurrency=10, partitions=None) == 50


def test_the_tasks_of_a_topic_are_numbers_of_use_and_change_once_in_three_minutes(
    services: dict[str, ScaledService],
) -> None:
    minutes = simulate(services["Apply"], built_in("burst"), slo=300).minutes
    desired = list(minutes.desired)

    assert set(desired) <= {1, 2, 3, 4, 6, 12}
    changes = [minute for minute in range(1, len(desired)) if desired[minute] != desired[minute - 1]]
    assert len(changes) > 2
    assert min(later - earlier for earlier, later in pairwise(changes)) >= 3


def test_fewer_partitions_bound_what_more_tasks_can_do(services: dict[str, ScaledService]) -> None:
    apply = services["Apply"]
    assert apply.planner is not None
    few = replace(apply, partitions=2, planner=replace(apply.planner, partitions=2))

    assert max(simulate(few, built_in("burst"), slo=300).minutes.desired) == 2
    assert simulate(few, built_in("burst"), slo=300).p99 > simulate(apply, built_in("burst"), slo=300).p99


def test_the_engine_of_single_messages_refuses_partitions(services: dict[str, ScaledService]) -> None:
    with pytest.raises(SimulationError, match=r"knows no partitions, and Stack/Apply reads a topic; use the fluid one"):
        simulate(services["Apply"], built_in("burst"), slo=300, engine="exact")

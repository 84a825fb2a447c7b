"""The systems that are measured: the same workers, built from this library and from QueueProcessingFargateService."""

from collections.abc import Callable, Iterator
from functools import cache

from aws_cdk import Duration, Environment, Stack, Stage
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from constructs import Construct

from fargate_workers import Alerts, DeduplicationTable, QueueWorker, RedisCache, Scaling, WorkerCluster

REGION = "eu-west-1"
ZONES = [f"{REGION}a", f"{REGION}b"]
# A stack holds 500 resources at most; a worker of ours has about thirty.
WORKERS_PER_STACK = 12


def stage(scope: Construct, number: int) -> Stage:
    return Stage(scope, f"environment{number}", env=Environment(account="111111111111", region=REGION))


def fargate_workers(stage: Stage, *, workers: int) -> None:
    """Alerts, network, cluster, cache and claims; workers with queue, service, scaling and alarms that use them."""
    platform = Stack(stage, "Platform")
    alerts = Alerts(platform, "Alerts", emails=["on-call@example.com"])
    cluster = WorkerCluster(
        platform,
        "Cluster",
        network="endpoints",
        availability_zones=ZONES,
        alerts=alerts,
        log_encryption_key=alerts.key,
    )
    data = Stack(stage, "Data")
    cache = RedisCache(data, "Cache", cluster=cluster, node_type="cache.m7g.large", snapshot_retention=_fifteen_days())
    claims = DeduplicationTable(data, "Claims")
    for stack, name in _places(stage, workers):
        QueueWorker(
            stack,
            name,
            cluster=cluster,
            image=_image(),
            scaling=Scaling.on_queue_depth(max_tasks=2),  # two hundred workers of two tasks fit into one cache
            claims=claims,
            cache=cache,
        )


def queue_processing_fargate_service(stage: Stage, *, workers: int) -> None:
    """The same number of workers from the CDK's own construct, with its defaults: no alarms, no cache, no claims."""
    platform = Stack(stage, "Platform")
    cluster = ecs.Cluster(platform, "Cluster", vpc=ec2.Vpc(platform, "Vpc", availability_zones=ZONES))
    for stack, name in _places(stage, workers):
        ecs_patterns.QueueProcessingFargateService(
            stack, name, cluster=cluster, image=_image(), min_healthy_percent=100
        )


SYSTEMS: dict[str, Callable[..., None]] = {
    "fargate_workers": fargate_workers,
    "queue_processing_fargate_service": queue_processing_fargate_service,
}


def _places(stage: Stage, workers: int) -> Iterator[tuple[Stack, str]]:
    stack = None
    for number in range(workers):
        if stack is None or number % WORKERS_PER_STACK == 0:
            stack = Stack(stage, f"Workers{number // WORKERS_PER_STACK}")
        yield stack, f"Worker{number}"


@cache
def _fifteen_days() -> Duration:
    return Duration.days(15)


@cache
def _image() -> ecs.ContainerImage:
    return ecs.ContainerImage.from_registry("python:3.13-slim")

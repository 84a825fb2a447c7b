"""Constructs and runtime meet in the names of environment variables and nowhere else: both sides, held together."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import QueueWorker, RedisCache, WorkerCluster
from fargate_workers.workers.checks import Pacing
from fargate_workers_runtime import connect_redis, settings
from fargate_workers_runtime.entry_points.task import Task
from fargate_workers_runtime.settings import Settings
from tests.contract.read_environment import ReadEnvironment
from tests.doubles.stack_facts import Facts, image, synthesize

# Not for the runtime: what the sample's own handlers read, and the name an image for QueueProcessingFargateService
# looks for.
FOR_OTHERS = {"ORDERS_TABLE_NAME", "ORDERS_QUEUE_URL", "FILES_BUCKET", "QUEUE_NAME"}
# Read elsewhere than in Settings: at the start of every process, and by the health command.
AT_THE_START = {"WORKER_NAME", "CLAIMS_TABLE_NAME", "HEALTH_FILE", "STOP_TIMEOUT_SECONDS"}
FROM_FARGATE = {"AWS_REGION": "eu-west-1"}
# Right for every queue as they are, so no construct sets them; a worker's own `environment` may.
# CLAIMS_SCOPE is set where consumers share a queue, UNTIL_EMPTY where something starts jobs.
LEFT_TO_THE_RUNTIME = {
    "BROKER",
    "CLAIMS_SCOPE",
    "METRICS_SECONDS",
    "RECEIVERS",
    "RECEIVE_WAIT_SECONDS",
    "UNTIL_EMPTY",
}
# Kubernetes sets it in a pod, which may take longer to stop than a task.
FROM_KUBERNETES = {"KUBERNETES_SERVICE_HOST"}


@pytest.fixture(scope="module")
def workers(assembly: Path) -> dict[str, Any]:
    (path,) = assembly.glob("assembly-prod/prodWorkers*.template.json")
    return dict(json.loads(path.read_text())["Resources"])


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task's role gives it; nothing is signed here, let alone sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    """A worker with no option at all, and one with every option that has a variable."""

    def cluster(stack: Stack) -> WorkerCluster:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
        )
        return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)

    def plain(stack: Stack) -> None:
        QueueWorker(stack, "Orders", cluster=cluster(stack), image=image())

    def everything(stack: Stack) -> None:
        ours = cluster(stack)
        QueueWorker(
            stack,
            "Orders",
            cluster=ours,
            image=image(),
            claims=RedisCache(stack, "Locks", cluster=ours, eviction="noeviction"),
            max_downstream_rate=50,
            recycle_after=10_000,
            max_message_bytes=262_144,
            pacing="economy",
            cpu=16_384,
            memory_mib=32_768,
            concurrency=64,
        )

    return synthesize({"plain": plain, "everything": everything})


def container_variables(workers: dict[str, Any], worker: str) -> dict[str, str]:
    """What the task definition sets; a value known only at deployment is a placeholder that any reader accepts."""
    (definition,) = (
        resource["Properties"]
        for resource in workers.values()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
        and any(
            variable["Name"] == "WORKER_NAME" and variable["Value"].endswith(f"/{worker}")
            for variable in resource["Properties"]["ContainerDefinitions"][0]["Environment"]
        )
    )
    return {
        variable["Name"]: variable["Value"] if isinstance(variable["Value"], str) else "6380"
        for variable in definition["ContainerDefinitions"][0]["Environment"]
    }


def override_variables(workers: dict[str, Any], resource_type: str, marker: str) -> dict[str, str]:
    """What a schedule or a rule sets in the container it starts, with its placeholders filled in."""
    text = next(
        json.dumps(resource["Properties"])
        for resource in workers.values()
        if resource["Type"] == resource_type and marker in json.dumps(resource)
    )
    names = [name for name in (*SCHEDULE, *OBJECT) if f'\\"name\\":\\"{name}\\"' in text.replace('\\\\"', '\\"')]
    return {name: (SCHEDULE | OBJECT)[name] for name in names}


SCHEDULE = {"SCHEDULE_NAME": "arn:schedule", "SCHEDULED_TIME": "2026-01-31T12:00:00Z", "SCHEDULE_RUN_ID": "run"}
OBJECT = {
    "OBJECT_BUCKET": "bucket",
    "OBJECT_KEY": "bulk/a.csv",
    "OBJECT_VERSION_ID": "v1",
    "OBJECT_SEQUENCER": "00",
    "OBJECT_SIZE": "12",
    "OBJECT_ETAG": "etag",
}


def every_variable(workers: dict[str, Any], stacks: dict[str, Facts]) -> dict[str, str]:
    """What the constructs set, all options together: claims in DynamoDB and in Redis, a cache and a rate."""
    everything = container_variables(stacks["everything"].resources, "Orders")
    return container_variables(workers, "ApplyOrders") | everything | FROM_FARGATE


def test_the_runtime_reads_every_variable_a_queue_worker_sets(
    workers: dict[str, Any], stacks: dict[str, Facts]
) -> None:
    environment = ReadEnvironment(every_variable(workers, stacks))

    Settings.from_environment(environment)
    connect_redis(environment)

    assert set(environment) - set(FROM_FARGATE) - FOR_OTHERS - environment.read == set()


def test_a_queue_worker_can_set_every_variable_the_runtime_reads(
    workers: dict[str, Any], stacks: dict[str, Facts]
) -> None:
    environment = ReadEnvironment(every_variable(workers, stacks))

    Settings.from_environment(environment)
    connect_redis(environment)

    assert environment.read - set(environment) == LEFT_TO_THE_RUNTIME | FROM_KUBERNETES


def test_a_worker_without_options_runs_by_the_runtimes_own_defaults(stacks: dict[str, Facts]) -> None:
    told = Settings.from_environment(container_variables(stacks["plain"].resources, "Orders"))

    assert told == Settings(
        worker_name="plain/Orders",
        queue_url=told.queue_url,
        dead_letter_queue_url=told.dead_letter_queue_url,
        max_receive_count=100,  # the queue's; a runtime cannot know it by itself
    )


def test_options_become_settings(stacks: dict[str, Facts]) -> None:
    told = Settings.from_environment(container_variables(stacks["everything"].resources, "Orders"))

    assert (told.pacing, told.processes, told.concurrency) == ("economy", 16, 64)
    assert (told.claim_store, told.claims_table_name) == ("redis", None)
    assert (told.rate_limit, told.max_messages, told.max_message_bytes) == (50, 10_000, 262_144)


def test_what_is_switched_off_is_not_mentioned(stacks: dict[str, Facts]) -> None:
    switched_off = {
        "CLAIM_STORE",
        "CLAIMS_TABLE_NAME",
        "MAX_MESSAGES_PER_PROCESS",
        "RATE_LIMIT_PER_SECOND",
        "MAX_MESSAGE_BYTES",
    }

    assert not switched_off & container_variables(stacks["plain"].resources, "Orders").keys()


@pytest.mark.parametrize(
    ("variable", "most"),
    [
        ("CONCURRENCY", 1_000),
        ("PROCESSES", 16),
        ("MAX_ATTEMPTS", 1_000),
        ("MAX_RECEIVE_COUNT", 1_000),
        ("RATE_LIMIT_PER_SECOND", 1_000_000),
        ("MAX_MESSAGES_PER_PROCESS", 1_000_000_000),
        ("MAX_MESSAGE_BYTES", 1024 * 1024),
    ],
)
def test_the_most_that_a_construct_accepts_the_runtime_accepts(variable: str, most: int) -> None:
    Settings.from_environment({"WORKER_NAME": "Orders", "QUEUE_URL": "https://queue", variable: str(most)})


def test_both_sides_know_the_same_paces() -> None:
    assert get_args(Pacing) == get_args(settings.Pacing)


def test_the_settings_are_what_the_construct_documents(workers: dict[str, Any]) -> None:
    told = Settings.from_environment(container_variables(workers, "ApplyOrders"))

    assert told.worker_name == "prod-Workers/ApplyOrders"
    assert (told.lease, told.max_processing, told.concurrency) == (30, 900, 10)
    assert (told.claim_store, told.max_receive_count) == ("dynamodb", 100)
    assert told.stop_timeout == 120
    assert told.health_file == Path("/tmp/healthy")


@pytest.mark.parametrize(
    ("worker", "resource_type", "overrides"),
    [
        ("HourlyReport", "AWS::Scheduler::Schedule", SCHEDULE),
        ("ImportBulk", "AWS::Events::Rule", OBJECT),
    ],
)
def test_a_started_task_learns_what_started_it(
    workers: dict[str, Any], worker: str, resource_type: str, overrides: dict[str, str]
) -> None:
    assert override_variables(workers, resource_type, next(iter(overrides))) == overrides
    environment = ReadEnvironment(container_variables(workers, worker) | overrides)

    task = Task.from_environment(environment)

    assert task.name == f"prod-Workers/{worker}"
    assert set(environment) - FOR_OTHERS - AT_THE_START - environment.read == set()

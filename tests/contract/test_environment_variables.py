"""Constructs and runtime meet in the names of environment variables and nowhere else: both sides, held together."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_runtime import connect_redis
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.task import Task

# Not for the runtime: what the sample's own handlers read, and the name an image for QueueProcessingFargateService
# looks for.
FOR_OTHERS = {"ORDERS_TABLE_NAME", "ORDERS_QUEUE_URL", "FILES_BUCKET", "QUEUE_NAME"}
# Read elsewhere than in Settings: at the start of every process, and by the health command.
AT_THE_START = {"WORKER_NAME", "CLAIMS_TABLE_NAME", "HEALTH_FILE", "STOP_TIMEOUT_SECONDS"}
FROM_FARGATE = {"AWS_REGION": "eu-west-1"}


class ReadEnvironment(Mapping[str, str]):
    """An environment that remembers which of its variables were asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._variables[name]

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


@pytest.fixture(scope="module")
def workers(assembly: Path) -> dict[str, Any]:
    (path,) = assembly.glob("assembly-prod/prodWorkers*.template.json")
    return dict(json.loads(path.read_text())["Resources"])


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task's role gives it; nothing is signed here, let alone sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def container_variables(workers: dict[str, Any], worker: str) -> dict[str, str]:
    """What the task definition sets; a value known only at deployment is a placeholder that any reader accepts."""
    (definition,) = (
        resource["Properties"]
        for resource in workers.values()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
        and any(v["Value"] == worker for v in resource["Properties"]["ContainerDefinitions"][0]["Environment"])
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


def test_the_runtime_reads_every_variable_a_queue_worker_sets(workers: dict[str, Any]) -> None:
    environment = ReadEnvironment(container_variables(workers, "ApplyOrders") | FROM_FARGATE)

    Settings.from_environment(environment)
    connect_redis(environment)

    assert set(environment) - set(FROM_FARGATE) - FOR_OTHERS - environment.read == set()


def test_what_the_runtime_reads_for_a_queue_worker_is_set(workers: dict[str, Any]) -> None:
    environment = ReadEnvironment(container_variables(workers, "ApplyOrders") | FROM_FARGATE)

    Settings.from_environment(environment)
    connect_redis(environment)

    # A full long poll is right for every queue, so no construct changes it.
    assert environment.read - set(environment) == {"RECEIVE_WAIT_SECONDS"}


def test_the_settings_are_what_the_construct_documents(workers: dict[str, Any]) -> None:
    settings = Settings.from_environment(container_variables(workers, "ApplyOrders"))

    assert settings.worker_name == "ApplyOrders"
    assert (settings.visibility_timeout, settings.max_processing, settings.concurrency) == (30, 900, 10)
    assert settings.stop_timeout == 120
    assert settings.health_file == Path("/tmp/healthy")


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

    assert task.name == worker
    assert set(environment) - FOR_OTHERS - AT_THE_START - environment.read == set()

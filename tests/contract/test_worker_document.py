"""docs/worker describes the runtime: a table that has fallen behind the code fails here."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from fargate_workers_runtime import Message, PostgresSettings, connect_redis
from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery
from fargate_workers_runtime.brokers.kafka import KafkaSettings
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.entry_points.task import Task
from fargate_workers_runtime.redis import connect_broker
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryWorker
from tests.contract.read_environment import ReadEnvironment

ROOT = Path(__file__).parents[2]
PAGES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "worker").glob("*.md"))]
DOCUMENT = "\n## \n".join(PAGES)
RUNTIME = ROOT / "worker_image" / "fargate_workers_runtime"
SMALLEST = {"WORKER_NAME": "Orders", "QUEUE_URL": "https://queue"}
# Read at the start of every process, before there are settings; by boto3, from Fargate.
READ_ELSEWHERE = {"LOG_LEVEL", "LOG_EXCEPTION_TEXT", "AWS_REGION"}
# Set by Kubernetes.
OF_PODS = {"KUBERNETES_SERVICE_HOST"}


@cache
def parsed() -> dict[str, ast.Module]:
    """The runtime's files, parsed, by their names."""
    return {
        str(path.relative_to(RUNTIME)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(RUNTIME.rglob("*.py"))
    }


def section(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of every table in a section, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", section(title) + "\n", re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(title: str) -> set[str]:
    """Every name in backticks in the first cells of a section's tables."""
    return {name for row in rows(title) for name in re.findall(r"`([^`]+)`", row[0])}


#: A database is not there, and need not be, to read the variables that lead to it.
DATABASE = {"DATABASE_HOST": "db", "DATABASE_NAME": "app", "DATABASE_USER": "worker", "AWS_REGION": "r"}
WITH_PASSWORD = {**DATABASE, "DATABASE_AUTHENTICATION": "password", "DATABASE_PASSWORD": "secret"}


def read(environment: ReadEnvironment) -> set[str]:
    Settings.from_environment(environment)
    connect_redis(environment)
    return environment.read


def read_of_databases() -> set[str]:
    environments = [ReadEnvironment(variables) for variables in (DATABASE, WITH_PASSWORD)]
    for environment in environments:
        PostgresSettings.from_environment(environment)
    return {name for environment in environments for name in environment.read} - {"WORKER_NAME"}


def read_of_redis_brokers() -> set[str]:
    server = {
        "BROKER_REDIS_HOST": "cache",
        "BROKER_REDIS_USER": "us",
        "BROKER_REDIS_REPLICATION_GROUP_ID": "id",
        "AWS_REGION": "r",
    }
    stream = ReadEnvironment({"STREAM_NAME": "{orders}", "STREAM_GROUP": "apply"})
    listed, connected = ReadEnvironment({"LIST_NAME": "{orders}"}), ReadEnvironment(server)
    StreamSettings.from_environment(stream)
    ListSettings.from_environment(listed)
    connect_broker(connected, timeout=1)
    return {*stream.read, *listed.read, *connected.read}


def test_every_setting_is_documented_and_every_documented_setting_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # what a task's role gives it
        monkeypatch.setenv(name, "testing")
    environment = ReadEnvironment(SMALLEST | {"REDIS_HOST": "cache"})
    signed = ReadEnvironment(
        SMALLEST | {"REDIS_HOST": "cache", "REDIS_USER": "us", "REDIS_REPLICATION_GROUP_ID": "id", "AWS_REGION": "r"}
    )

    kafka = ReadEnvironment({"KAFKA_TOPIC": "orders", "KAFKA_GROUP": "apply", "KAFKA_CLUSTER_ARN": "arn"})
    KafkaSettings.from_environment(kafka)

    brokers = kafka.read | read_of_redis_brokers()
    every = read(environment) | read(signed) | brokers | read_of_databases() | READ_ELSEWHERE
    assert names("Settings") == every - OF_PODS


@pytest.mark.parametrize(("variable", "default"), [(row[0], row[2]) for row in rows("Settings")])
def test_a_documented_default_is_the_runtimes(variable: str, default: str) -> None:
    if not default.startswith("`"):
        return
    explicit = SMALLEST | {variable.strip("`"): default.strip("`")}

    assert Settings.from_environment(explicit) == Settings.from_environment(SMALLEST)


def test_a_documented_default_of_redis_is_the_runtimes() -> None:
    defaults = {row[0].strip("`"): row[2].strip("`") for row in rows("Settings") if row[2].startswith("`")}
    explicit = {name: value for name, value in defaults.items() if name.startswith("REDIS_")}

    told, left = connect_redis(explicit | {"REDIS_HOST": "cache"}), connect_redis({"REDIS_HOST": "cache"})

    assert told.get_connection_kwargs()["port"] == left.get_connection_kwargs()["port"]
    assert told.connection_pool.connection_class is left.connection_pool.connection_class
    assert told.connection_pool.max_connections == left.connection_pool.max_connections


def test_a_documented_default_of_a_database_is_the_runtimes() -> None:
    defaults = {row[0].strip("`"): row[2].strip("`") for row in rows("Settings") if row[2].startswith("`")}
    explicit = {name: value for name, value in defaults.items() if name.startswith(("DATABASE_", "OUTBOX_"))}

    assert PostgresSettings.from_environment(DATABASE | explicit) == PostgresSettings.from_environment(DATABASE)


def test_every_variable_of_a_started_task_is_documented() -> None:
    schedule = {"WORKER_NAME": "Report", "SCHEDULE_NAME": "arn", "SCHEDULED_TIME": "2026-01-31T12:00:00Z"}
    started = [
        ReadEnvironment(schedule),
        ReadEnvironment({"WORKER_NAME": "Bulk", "OBJECT_BUCKET": "b", "OBJECT_KEY": "k"}),
    ]
    for environment in started:
        Task.from_environment(environment)

    documented = set(re.findall(r"(?:SCHEDULE|OBJECT)[A-Z_]+", section("Scheduled and object-created tasks")))
    assert documented == {name for environment in started for name in environment.read} - {"WORKER_NAME"}


def test_every_part_of_a_message_is_documented() -> None:
    documented = {name.removesuffix("(…)") for name in names("A handler")}
    assert documented == {part.name for part in fields(Message)} - {"effect", "transaction"} | {"effect_in", "transact"}


def test_everything_a_test_of_a_handler_can_ask_for_is_documented() -> None:
    worker = MemoryWorker(print)

    documented = {re.sub(r"\(.*\)", "", name) for name in names("Testing a handler")}
    assert documented == {name for name in dir(worker) if not name.startswith("_")}


def test_every_metric_is_documented() -> None:
    lines: list[str] = []
    metrics = Metrics("Orders", write=lines.append)
    metrics.took(0.1)
    metrics.worked(0.2)
    metrics.flush()

    (line,) = lines
    (emitted,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    assert names("Metrics") == {metric["Name"] for metric in emitted["Metrics"]}


def test_every_attribute_of_a_dead_letter_is_documented() -> None:
    sent: list[str] = []

    class Client:
        def send_message_batch(self, **request: object) -> dict[str, object]:
            sent.append(json.dumps(request))
            return {}

    queue = SqsBroker(Client(), "https://queue", dead_letter_queue_url="https://dead")  # type: ignore[arg-type]
    queue.dead_letter([DeadLetter(delivery=Delivery(id="1", text="{}", token="r"), reason="too large")])

    assert {name for name in names("Poison") if name.startswith("dlq.")} == set(re.findall(r"dlq\.\w+", sent[0]))


def test_every_reason_of_the_gate_is_documented() -> None:
    raised = {
        argument.value if isinstance(argument, ast.Constant) else argument.values[0].value  # type: ignore[attr-defined]
        for call in calls("PoisonMessage", "handlers/gate.py", "brokers/sqs/envelopes.py", "handlers/payloads.py")
        for argument in call.args[:1]
    }

    documented = {reason for row in rows("Poison") for reason in re.findall(r"`([^`]+)`", row[1])}
    assert raised <= documented


def calls(name: str, *sources: str) -> Iterator[ast.Call]:
    for source in sources:
        for node in ast.walk(parsed()[source]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


LEVELS = {"exception": "error"}


def events() -> dict[str, set[str]]:
    """What the runtime logs, the first word of each literal, and at which levels.

    A task's run logs at level info how it has ended, which stands in the code beside its exit code.
    """
    found: dict[str, set[str]] = {}
    for tree in parsed().values():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(ast.Name("_log"), level), args=[ast.Constant(str(text)), *_]):
                    found.setdefault(re.split(r"[: ]", text)[0], set()).add(LEVELS.get(level, level))
                case ast.Call(func=ast.Attribute(attr="_line"), args=[ast.Constant(str(level)), ast.Constant(text), _]):
                    found.setdefault(text, set()).add(level.lower())
                case ast.Tuple([ast.Name(code), ast.Constant(str(text))]) if code.startswith("EXIT_"):
                    found.setdefault(text, set()).add("info")
                case ast.Tuple([ast.Name(), ast.IfExp(body=ast.Constant(str(one)), orelse=ast.Constant(str(other)))]):
                    found.setdefault(one, set()).add("info")
                    found.setdefault(other, set()).add("info")
    return found


def logged_fields() -> set[str]:
    """The keys of every `{"fields": {...}}` and of every dictionary called `fields`."""
    found: set[str] = set()
    for tree in parsed().values():
        for node in ast.walk(tree):
            match node:
                case ast.Dict([ast.Constant("fields")], [ast.Dict(keys)]):
                    found |= {key.value for key in keys if isinstance(key, ast.Constant)}
                case (
                    ast.Assign([ast.Name("fields")], ast.Dict(keys))
                    | ast.Call(func=ast.Attribute(attr="_line"), args=[_, _, ast.Dict(keys)])
                ):
                    found |= {key.value for key in keys if isinstance(key, ast.Constant)}
    return found


def test_every_log_event_is_documented_at_its_level_and_every_documented_event_is_logged() -> None:
    documented = {row[0].strip("`"): set(row[1].split(", ")) for row in rows("Logs") if len(row) == 4}

    assert documented == events()


def test_every_field_of_a_log_line_is_documented() -> None:
    assert logged_fields() <= set(re.findall(r"`(\w+)`", section("Logs")))


def test_every_exit_code_is_documented() -> None:
    codes = {
        str(value.value)
        for tree in parsed().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name, value in zip(_flat(target), _flat(node.value), strict=False)
        if isinstance(name, ast.Name) and name.id.startswith("EXIT_") and isinstance(value, ast.Constant)
    }

    assert codes
    assert codes <= {row[0] for row in rows("Exit codes")}


def _flat(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]

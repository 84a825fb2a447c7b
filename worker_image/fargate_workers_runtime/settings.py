"""The environment, read once at the edge. Everything behind it takes values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from fargate_workers_runtime.errors import SettingsError

#: Larger messages are refused. SQS carries up to 1 MiB, but 256 KiB is what every other AWS messaging service takes on.
MAX_MESSAGE_BYTES = 256 * 1024

Pacing = Literal["latency", "economy"]
ClaimStore = Literal["dynamodb", "redis", "none"]

#: Between the last handler given up and SIGKILL: time to hand messages back and to flush acknowledgements.
STOP_MARGIN_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the construct tells the worker. Durations are in seconds.

    Attributes:
        worker_name: WORKER_NAME, the log field, metric dimension and scope of the claims.
        queue_url: QUEUE_URL.
        dead_letter_queue_url: DEAD_LETTER_QUEUE_URL. Default: none; poison is left to the redrive policy.
        visibility_timeout: VISIBILITY_TIMEOUT_SECONDS. Default: 120. How soon a message of a crashed worker comes back.
        max_processing: MAX_PROCESSING_SECONDS. Default: 900. A longer handler is given up, the process replaced.
        concurrency: CONCURRENCY. Default: 10, the size of one receive.
        receive_wait: RECEIVE_WAIT_SECONDS. Default: 20, the longest poll SQS offers and the cheapest.
        stop_timeout: STOP_TIMEOUT_SECONDS. Default: 120, Fargate's longest, between SIGTERM and SIGKILL.
        health_file: HEALTH_FILE. Default: /tmp/healthy. None: no file, as in a test.
        pacing: PACING, `latency` or `economy`. Default: latency, which asks and acknowledges as soon as it can; economy
            lets messages gather for a second first, which halves the requests of a trickle.
        receivers: RECEIVERS, 1 to 8. Default: 8, the most polls open at once; an idle worker has one.
        processes: PROCESSES. Default: 1. One per vCPU: Python runs one thread at a time. They share CONCURRENCY.
        max_messages: MAX_MESSAGES_PER_PROCESS. Default: 0, no limit. A process that has handled so many is replaced
            by a fresh one, which bounds what a handler leaks.
        max_receive_count: MAX_RECEIVE_COUNT, the queue's. Default: 0, not known. The last delivery that fails takes the
            reason along to the dead-letter queue, instead of being moved there without one.
        claim_store: CLAIM_STORE, `dynamodb`, `redis` or `none`. Default: dynamodb if CLAIMS_TABLE_NAME is, else none.
        claims_table_name: CLAIMS_TABLE_NAME, for claims in DynamoDB.
        metrics_interval: METRICS_SECONDS, 1 to 60. Default: 60. How often metrics are written. CloudWatch counts by the
            minute, so that more only helps where minutes are shorter than elsewhere, as in the local environment.
        rate_limit: RATE_LIMIT_PER_SECOND, handlers begun per second by all tasks together, counted in Redis. Default:
            0, no limit.
    """

    worker_name: str
    queue_url: str
    dead_letter_queue_url: str | None = None
    visibility_timeout: int = 120
    max_processing: int = 900
    concurrency: int = 10
    receive_wait: int = 20
    stop_timeout: int = 120
    health_file: Path | None = Path("/tmp/healthy")  # noqa: S108  the task's only writable place
    pacing: Pacing = "latency"
    receivers: int = 8
    processes: int = 1
    max_messages: int = 0
    max_receive_count: int = 0
    claim_store: ClaimStore = "none"
    claims_table_name: str | None = None
    metrics_interval: int = 60
    rate_limit: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables of a QueueWorker's task.

        Raises:
            SettingsError: A variable is missing or out of range.
        """
        return cls(
            worker_name=text(environment, "WORKER_NAME"),
            queue_url=text(environment, "QUEUE_URL"),
            dead_letter_queue_url=environment.get("DEAD_LETTER_QUEUE_URL") or None,
            visibility_timeout=number(environment, "VISIBILITY_TIMEOUT_SECONDS", cls.visibility_timeout, 2, 43_200),
            max_processing=number(environment, "MAX_PROCESSING_SECONDS", cls.max_processing, 1, 43_200),
            concurrency=number(environment, "CONCURRENCY", cls.concurrency, 1, 1_000),
            receive_wait=number(environment, "RECEIVE_WAIT_SECONDS", cls.receive_wait, 0, 20),
            stop_timeout=number(environment, "STOP_TIMEOUT_SECONDS", cls.stop_timeout, 1, 120),
            health_file=Path(environment.get("HEALTH_FILE") or "/tmp/healthy"),  # noqa: S108
            pacing=cast("Pacing", choice(environment, "PACING", cls.pacing, get_args(Pacing))),
            receivers=number(environment, "RECEIVERS", cls.receivers, 1, 8),
            processes=number(environment, "PROCESSES", cls.processes, 1, 16),
            max_messages=number(environment, "MAX_MESSAGES_PER_PROCESS", cls.max_messages, 0, 1_000_000_000),
            max_receive_count=number(environment, "MAX_RECEIVE_COUNT", cls.max_receive_count, 0, 1_000),
            claim_store=claim_store(environment),
            claims_table_name=environment.get("CLAIMS_TABLE_NAME") or None,
            metrics_interval=number(environment, "METRICS_SECONDS", cls.metrics_interval, 1, 60),
            rate_limit=number(environment, "RATE_LIMIT_PER_SECOND", cls.rate_limit, 0, 1_000_000),
        )

    @property
    def drain_seconds(self) -> int:
        """How long handlers may go on after SIGTERM."""
        return max(1, self.stop_timeout - STOP_MARGIN_SECONDS)


def text(environment: Mapping[str, str], name: str) -> str:
    """The variable `name`, which must be there."""
    if not (value := environment.get(name)):
        raise SettingsError(f"{name} is not set; the task definition must set it (the fargate_workers constructs do).")
    return value


def number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """The variable `name` as a whole number from `least` to `most`; `default` if it is not set."""
    value = environment.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise SettingsError(f"{name} is {value!r}; make it a whole number from {least} to {most}.")
    return int(value)


def choice(environment: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """The variable `name`, which must be one of `allowed`; `default` if it is not set."""
    value = environment.get(name) or default
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; make it one of {', '.join(allowed)}.")
    return value


def claim_store(environment: Mapping[str, str]) -> ClaimStore:
    """CLAIM_STORE; what it needs must be set."""
    default = "dynamodb" if environment.get("CLAIMS_TABLE_NAME") else "none"
    store = cast("ClaimStore", choice(environment, "CLAIM_STORE", default, get_args(ClaimStore)))
    if store == "dynamodb":
        text(environment, "CLAIMS_TABLE_NAME")
    return store

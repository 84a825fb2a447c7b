"""The environment, read once at the edge. Everything behind it takes values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from fargate_workers_runtime.errors import SettingsError

#: The most that SQS carries, attributes included.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1024 * 1024


Pacing = Literal["latency", "economy"]
BrokerKind = Literal["sqs", "kafka", "redis-stream", "redis-list"]
ClaimStore = Literal["dynamodb", "redis", "postgres", "none"]

#: Seconds that a poll waits, by default, where it is not billed.
_WAITS: Mapping[BrokerKind, int] = {"redis-stream": 2, "redis-list": 2}

#: Between the last handler given up and SIGKILL, in seconds: time to release messages and to flush acknowledgements.
STOP_MARGIN_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a worker, which the construct sets as variables. Durations are in seconds.

    Attributes:
        worker_name: WORKER_NAME, the log field and the metric dimension.
        broker: BROKER, the kind of the broker. Default: sqs. Each other kind reads variables of its own.
        queue_url: QUEUE_URL, the queue that the worker drains, if the broker is SQS.
        dead_letter_queue_url: DEAD_LETTER_QUEUE_URL. Default: none; poison is left to the redrive policy.
        lease: VISIBILITY_TIMEOUT_SECONDS. Default: 120. How long a message is leased at a time, and so how soon one
            of a crashed worker comes back.
        max_processing: MAX_PROCESSING_SECONDS. Default: 900. A handler that takes longer is given up, and the
            process is replaced.
        concurrency: CONCURRENCY. Default: 10, the size of one receive.
        receive_wait: RECEIVE_WAIT_SECONDS. Default: 20, the longest poll SQS offers and the cheapest; 2 if the broker
            is Redis, where a poll costs nothing and a stop need not wait for one.
        stop_timeout: STOP_TIMEOUT_SECONDS. Default: 120, Fargate's longest, between SIGTERM and SIGKILL. A pod may have
            more.
        health_file: HEALTH_FILE. Default: /tmp/healthy. None: no file, as in a test.
        pacing: PACING, `latency` or `economy`. Default: latency, which asks and acknowledges as soon as it can; economy
            lets messages gather for a second first, which halves the requests at a low rate.
        receivers: RECEIVERS, 1 to 8. Default: 8, the most polls open at once; an idle worker has one.
        processes: PROCESSES. Default: 1. One per vCPU: Python runs one thread at a time. They share CONCURRENCY.
        max_messages: MAX_MESSAGES_PER_PROCESS. Default: 0, no limit. A process that has handled so many is replaced
            by a fresh one, which bounds what a handler leaks.
        max_attempts: MAX_ATTEMPTS. Default: 10. A message that has failed so often is dead-lettered, with its reason.
        max_receive_count: MAX_RECEIVE_COUNT, the queue's. Default: 0, not known. A guard above `max_attempts`: the
            queue counts every delivery, also of messages that were released or whose process died.
        claim_store: CLAIM_STORE, `dynamodb`, `redis`, `postgres` or `none`. Default: dynamodb if CLAIMS_TABLE_NAME is
            set, else none.
        claims_table_name: CLAIMS_TABLE_NAME, for claims in DynamoDB. Default: none.
        claims_scope: CLAIMS_SCOPE, the scope of the claims, one for all that share a queue. Default: none; WORKER_NAME.
        metrics_interval: METRICS_SECONDS, 1 to 60. Default: 60. Seconds between two lines of metrics. CloudWatch
            counts by the minute, so that fewer only help where minutes are shorter, as in the local environment.
        rate_limit: RATE_LIMIT_PER_SECOND, handlers begun per second by all tasks together, counted in Redis. Default:
            0, no limit.
        max_message_bytes: MAX_MESSAGE_BYTES, 1 to 1,048,576. Default: 1,048,576, all that SQS carries. A larger message
            is poison.
        until_empty: UNTIL_EMPTY, `true` or `false`. Default: false. Whether the process ends, with 0, when the queue
            has no more messages: a job, which something else starts.
    """

    worker_name: str
    broker: BrokerKind = "sqs"
    queue_url: str = ""
    dead_letter_queue_url: str | None = None
    lease: int = 120
    max_processing: int = 900
    concurrency: int = 10
    receive_wait: int = 20
    stop_timeout: int = 120
    health_file: Path | None = Path("/tmp/healthy")  # noqa: S108  the task's only writable place
    pacing: Pacing = "latency"
    receivers: int = 8
    processes: int = 1
    max_messages: int = 0
    max_attempts: int = 10
    max_receive_count: int = 0
    claim_store: ClaimStore = "none"
    claims_table_name: str | None = None
    claims_scope: str | None = None
    metrics_interval: int = 60
    rate_limit: int = 0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    until_empty: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings of a QueueWorker's task.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or out of range.
        """
        broker = cast("BrokerKind", choice(environment, "BROKER", cls.broker, get_args(BrokerKind)))
        return cls(
            worker_name=text(environment, "WORKER_NAME"),
            broker=broker,
            queue_url=text(environment, "QUEUE_URL") if broker == "sqs" else "",
            dead_letter_queue_url=environment.get("DEAD_LETTER_QUEUE_URL") or None,
            lease=number(environment, "VISIBILITY_TIMEOUT_SECONDS", cls.lease, 2, 43_200),
            max_processing=number(environment, "MAX_PROCESSING_SECONDS", cls.max_processing, 1, 43_200),
            concurrency=number(environment, "CONCURRENCY", cls.concurrency, 1, 1_000),
            receive_wait=number(environment, "RECEIVE_WAIT_SECONDS", _WAITS.get(broker, cls.receive_wait), 0, 20),
            stop_timeout=number(environment, "STOP_TIMEOUT_SECONDS", cls.stop_timeout, 1, _longest_stop(environment)),
            health_file=Path(environment.get("HEALTH_FILE") or "/tmp/healthy"),  # noqa: S108
            pacing=cast("Pacing", choice(environment, "PACING", cls.pacing, get_args(Pacing))),
            receivers=number(environment, "RECEIVERS", cls.receivers, 1, 8),
            processes=number(environment, "PROCESSES", cls.processes, 1, 16),
            max_messages=number(environment, "MAX_MESSAGES_PER_PROCESS", cls.max_messages, 0, 1_000_000_000),
            max_attempts=number(environment, "MAX_ATTEMPTS", cls.max_attempts, 1, 1_000),
            max_receive_count=number(environment, "MAX_RECEIVE_COUNT", cls.max_receive_count, 0, 1_000),
            claim_store=claim_store(environment),
            claims_table_name=environment.get("CLAIMS_TABLE_NAME") or None,
            claims_scope=environment.get("CLAIMS_SCOPE") or None,
            metrics_interval=number(environment, "METRICS_SECONDS", cls.metrics_interval, 1, 60),
            rate_limit=number(environment, "RATE_LIMIT_PER_SECOND", cls.rate_limit, 0, 1_000_000),
            max_message_bytes=number(environment, "MAX_MESSAGE_BYTES", cls.max_message_bytes, 1, MAX_MESSAGE_BYTES),
            until_empty=choice(environment, "UNTIL_EMPTY", "false", ("false", "true")) == "true",
        )

    @property
    def attempts_allowed(self) -> int:
        """The failures after which a message is given up; the queue moves it after `max_receive_count` deliveries."""
        return min(self.max_attempts, self.max_receive_count or self.max_attempts)

    @property
    def drain_seconds(self) -> int:
        """The seconds for which handlers may go on after SIGTERM."""
        return max(1, self.stop_timeout - STOP_MARGIN_SECONDS)


def _longest_stop(environment: Mapping[str, str]) -> int:
    """Fargate's limit; Kubernetes has none, and no handler takes longer than this."""
    return 43_260 if "KUBERNETES_SERVICE_HOST" in environment else 120


def text(environment: Mapping[str, str], name: str) -> str:
    """A variable that must be set.

    Args:
        environment: The variables of the process, by name.
        name: The name of the variable.

    Raises:
        SettingsError: It is not set, or empty.
    """
    if not (value := environment.get(name)):
        raise SettingsError(f"{name} is not set; the task definition must set it (the fargate_workers constructs do).")
    return value


def number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A variable that is a whole number.

    Args:
        environment: The variables of the process, by name.
        name: The name of the variable.
        default: The number if it is not set.
        least: The smallest number allowed.
        most: The largest number allowed.

    Raises:
        SettingsError: It is no whole number from `least` to `most`.
    """
    value = environment.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise SettingsError(f"{name} is {value!r}; make it a whole number from {least} to {most}.")
    return int(value)


def choice(environment: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A variable that has one of a few values.

    Args:
        environment: The variables of the process, by name.
        name: The name of the variable.
        default: The value if it is not set.
        allowed: The values that it may have.

    Raises:
        SettingsError: It has another value.
    """
    value = environment.get(name) or default
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; make it one of {', '.join(allowed)}.")
    return value


def claim_store(environment: Mapping[str, str]) -> ClaimStore:
    """The store of the claims, CLAIM_STORE. Default: dynamodb if CLAIMS_TABLE_NAME is set, else none.

    Args:
        environment: The variables of the process, by name.

    Raises:
        SettingsError: It is none of the stores, or its own variable is not set.
    """
    default = "dynamodb" if environment.get("CLAIMS_TABLE_NAME") else "none"
    store = cast("ClaimStore", choice(environment, "CLAIM_STORE", default, get_args(ClaimStore)))
    if store == "dynamodb":
        text(environment, "CLAIMS_TABLE_NAME")
    return store

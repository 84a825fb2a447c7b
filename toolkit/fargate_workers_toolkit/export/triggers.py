"""By what KEDA scales a worker: the triggers of each kind of source, and how KEDA signs in there.

The rule of them all: pods = ceil(messages / messages for each pod), of several triggers that which wants the most.
https://keda.sh/docs/latest/scalers/
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_toolkit.errors import ExportError
from fargate_workers_toolkit.export.known_values import KnownValues
from fargate_workers_toolkit.export.worker import ExportedWorker

#: Of the latency that is accepted, what messages may wait while enough pods run.
SHARE_THAT_WAITS = 0.2


@dataclass(frozen=True)
class Trigger:
    """One trigger.

    Args:
        type: KEDA's name of the scaler.
        metadata: Its parameters, each a text.
    """

    type: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Triggers:
    """What scales one worker.

    Args:
        each: The triggers: first what waits, then what waits or is in hand elsewhere, which would sleep otherwise.
        authentication: The `spec` of their TriggerAuthentication.
        least: The fewest pods that they can do with. Defaults to 0.
        notes: What a person must do for them. Defaults to nothing.
    """

    each: tuple[Trigger, ...]
    authentication: Mapping[str, Any]
    least: int = 0
    notes: tuple[str, ...] = field(default=())


def triggers_of(worker: ExportedWorker, known: KnownValues, *, messages_a_pod: int) -> Triggers:
    """The triggers of a worker, by the broker that its variables name.

    Args:
        worker: The worker.
        known: Knows the addresses that no variable has.
        messages_a_pod: The messages for each pod.

    Raises:
        ExportError: KEDA has no scaler for the broker.
    """
    match broker := worker.environment.get("BROKER", "sqs"):
        case "sqs":
            return _queue(worker, messages_a_pod)
        case "kafka":
            return _topic(worker, known, messages_a_pod)
        case "redis-stream":
            return _stream(worker, messages_a_pod)
        case "redis-list":
            return _list(worker, messages_a_pod)
        case _:
            raise ExportError(f"{worker.path} drains {broker}, for which KEDA has no scaler here; keep it on ECS.")


def messages_for_a_pod(worker: ExportedWorker, seconds_a_message: float | None = None) -> int:
    """The messages that one pod works off within a fifth of the latency that the worker's scaling accepts.

    KEDA wants so many pods that what waits takes that long, at any load: with all of the latency, messages would be at
    its limit whenever the load is steady, and beyond it whenever it rises. With a fifth, the simulator's loads keep it.
    Of 300 s, ten messages at once and half a second for each, that is 300 / 5 x 10 / 0.5 = 1,200.

    Args:
        worker: The worker.
        seconds_a_message: What a message takes. Defaults to what the template has.

    Raises:
        ExportError: The worker scales by steps, for which there is no such number.
    """
    if worker.latency is not None:
        seconds = worker.seconds_a_message if seconds_a_message is None else seconds_a_message
        return max(1, math.floor(SHARE_THAT_WAITS * worker.latency * worker.concurrency / seconds))
    if worker.backlog_per_task is not None:
        return max(1, math.floor(worker.backlog_per_task))
    raise ExportError(
        f"{worker.path} scales by steps, and KEDA by messages for each pod; give that number with --messages-per-pod."
    )


def _queue(worker: ExportedWorker, messages_a_pod: int) -> Triggers:
    metadata = {
        "queueURL": worker.environment["QUEUE_URL"],
        "queueLength": str(messages_a_pod),
        "awsRegion": worker.region,
        # Messages in hand keep their pods.
        "scaleOnInFlight": "true",
    }
    return Triggers(each=(Trigger("aws-sqs-queue", metadata),), authentication=_role(worker))


def _topic(worker: ExportedWorker, known: KnownValues, messages_a_pod: int) -> Triggers:
    variables = worker.environment
    servers = variables.get("KAFKA_BOOTSTRAP_SERVERS") or known.named(f"{worker.path}/KAFKA_BOOTSTRAP_SERVERS")
    metadata = {
        "bootstrapServers": servers,
        "consumerGroup": variables["KAFKA_GROUP"],
        "topic": variables["KAFKA_TOPIC"],
        "lagThreshold": str(messages_a_pod),
        # KEDA's own default, latest, would not see what came before the first commit.
        "offsetResetPolicy": variables.get("KAFKA_START", "earliest"),
        "ensureEvenDistributionOfPartitions": "true",
    }
    match variables.get("KAFKA_AUTHENTICATION", "iam"):
        case "iam":
            metadata |= {
                "tls": "enable",
                "sasl": "oauthbearer",
                "saslTokenProvider": "aws_msk_iam",
                "awsRegion": worker.region,
            }
        case "tls":
            metadata |= {"tls": "enable"}
        case _:
            pass
    topics = [metadata["topic"], *([retry] if (retry := variables.get("KAFKA_RETRY_TOPIC")) else [])]
    return Triggers(
        each=tuple(Trigger("kafka", metadata | {"topic": topic}) for topic in topics), authentication=_role(worker)
    )


def _stream(worker: ExportedWorker, messages_a_pod: int) -> Triggers:
    variables = worker.environment
    stream = {**_redis(variables), "stream": variables["STREAM_NAME"]}
    group = {"consumerGroup": variables["STREAM_GROUP"]}
    if int(variables.get("STREAM_RETAIN_SECONDS", "0")) > 0:
        # The lag is what no pod has had. KEDA refuses it without the number from which on it wakes a pod.
        lag = {"lagCount": str(messages_a_pod), "activationLagCount": "0"}
        each = (
            Trigger("redis-streams", stream | group | lag),
            Trigger("redis-streams", stream | group | {"pendingEntriesCount": str(messages_a_pod)}),
            _key(variables, f"{variables['STREAM_NAME']}:later:{variables['STREAM_GROUP']}", messages_a_pod),
        )
        least = 0
    else:
        # Entries that are deleted when they are done leave the backlog as the length, whose trigger names no group:
        # with one, KEDA would count what is pending. It says that it lets a stream sleep by its lag alone.
        each = (Trigger("redis-streams", stream | {"streamLength": str(messages_a_pod)}),)
        least = 1
    return Triggers(each=each, authentication=_password(worker), least=least, notes=_password_notes(worker))


def _list(worker: ExportedWorker, messages_a_pod: int) -> Triggers:
    variables = worker.environment
    name = variables["LIST_NAME"]
    leased = [] if variables.get("LIST_DELIVERY") == "at-most-once" else [f"{name}:leases"]
    return Triggers(
        each=tuple(_key(variables, key, messages_a_pod) for key in (name, *leased)),
        authentication=_password(worker),
        notes=_password_notes(worker),
    )


def _key(variables: Mapping[str, str], key: str, messages_a_pod: int) -> Trigger:
    """By the number of a key's members: of a list, and of a sorted set as well, which the scaler asks for its type."""
    return Trigger("redis", {**_redis(variables), "listName": key, "listLength": str(messages_a_pod)})


def _redis(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        "address": f"{variables['BROKER_REDIS_HOST']}:{variables.get('BROKER_REDIS_PORT', '6379')}",
        "enableTLS": variables.get("BROKER_REDIS_TLS", "true"),
    }


def _role(worker: ExportedWorker) -> Mapping[str, Any]:
    """By the worker's own role, named: KEDA's `identityOwner: workload` looks for it, and has failed to."""
    return {"podIdentity": {"provider": "aws", "roleArn": worker.role_arn}}


def _password(worker: ExportedWorker) -> Mapping[str, Any]:
    return {
        "secretTargetRef": [
            {"parameter": parameter, "name": f"{worker.name}-keda", "key": parameter}
            for parameter in ("username", "password")
        ]
    }


def _password_notes(worker: ExportedWorker) -> tuple[str, ...]:
    return (
        f"{worker.name}: KEDA signs in to Redis by password alone; make an ElastiCache user with one for it, and a "
        f"Secret {worker.name}-keda with its username and password.",
    )

"""The one place that reads which source of work a worker drains: the container's variables, as the runtime does."""

from collections.abc import Callable, Mapping

from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources.kafka import KafkaCluster, KafkaSource
from fargate_workers_toolkit.operations.sources.redis import RedisListSource, RedisServer, RedisStreamSource
from fargate_workers_toolkit.operations.sources.source import Source
from fargate_workers_toolkit.operations.sources.sqs import SqsSource

Variables = Mapping[str, str]


def _open_sqs(aws: Aws, variables: Variables) -> Source:
    return SqsSource(aws, url=variables["QUEUE_URL"], dead_letter_url=variables.get("DEAD_LETTER_QUEUE_URL"))


def _open_kafka(aws: Aws, variables: Variables) -> Source:
    return KafkaSource(KafkaCluster(aws, variables), variables)


def _open_stream(aws: Aws, variables: Variables) -> Source:
    return RedisStreamSource(RedisServer(aws, variables), variables)


def _open_list(aws: Aws, variables: Variables) -> Source:
    return RedisListSource(RedisServer(aws, variables), variables)


_OPENERS: Mapping[str, Callable[[Aws, Variables], Source]] = {
    "kafka": _open_kafka,
    "redis-list": _open_list,
    "redis-stream": _open_stream,
    "sqs": _open_sqs,
}


def open_source(aws: Aws, variables: Variables, *, worker: str) -> Source:
    """Open the source that a worker drains.

    Args:
        aws: Its AWS.
        variables: The variables of the worker's container.
        worker: The worker's name, for the error.

    Raises:
        OperationsError: No operations know such a source.
    """
    broker = variables.get("BROKER", "sqs")
    opener = _OPENERS.get(broker)
    if opener is None:
        raise OperationsError(f"{worker} drains a source of the kind {broker}; commands know {', '.join(_OPENERS)}.")
    try:
        return opener(aws, variables)
    except KeyError as missing:
        raise OperationsError(
            f"{worker}: its task definition has no variable {missing.args[0]}; deploy it again."
        ) from None

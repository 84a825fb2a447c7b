"""Who drains which queue: two kinds of consumers share one on purpose, or not at all."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aws_cdk import aws_sqs as sqs

from fargate_workers.cloudformation import has_token
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.sqs.worker_queue import WorkerQueue


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """What drains a queue.

    Args:
        id: Its id, for the error.
        kind: Its class, such as "QueueWorker".
        qualified_name: Its qualified name, by which its claims are kept.
        share: Whether it shares the queue on purpose.
    """

    id: str
    kind: str
    qualified_name: str
    share: bool = False


_of_object: WeakKeyDictionary[sqs.IQueue, list[Consumer]] = WeakKeyDictionary()


def consume(source: WorkerQueue, consumer: Consumer) -> str | None:
    """Note that `consumer` drains a queue.

    Args:
        source: The queue.
        consumer: What drains it.

    Returns:
        The name by which the claims of those that share the queue are kept. None is the consumer's own.

    Raises:
        ConfigurationError: Another one drains it, and neither shares it.
    """
    known = _consumers(source)
    for other in known:
        # Two services drain one queue as one would; each mapping has pollers and a concurrency of its own.
        if consumer.kind == other.kind == "QueueWorker":
            continue
        if not (consumer.share or other.share):
            raise ConfigurationError(
                f"{consumer.id}: the {other.kind} {other.id} drains this queue already, and each would take messages "
                "away from the other; give each a queue of its own, or share this one by "
                "QueueFunction(..., share=True)."
            )
    scope = known[0].qualified_name if known and any(each.share for each in [*known, consumer]) else None
    known.append(consumer)
    return scope


def _consumers(source: WorkerQueue) -> list[Consumer]:
    queue = source.queue
    if queue not in _of_object:
        # The same queue, imported twice in one app, is two objects of one ARN.
        arn = source.queue_arn
        same = [known for other, known in _of_object.items() if not has_token(arn) and other.queue_arn == arn]
        _of_object[queue] = same[0] if same else []
    return _of_object[queue]

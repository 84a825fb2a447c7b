"""The source of work of a deployed worker."""

from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources import DeadLetterStore, Source, open_source
from fargate_workers_toolkit.operations.workers import Worker, settings_of


def source_of(aws: Aws, worker: Worker) -> Source:
    """The source that a worker drains, as its running task definition, or its function, names it.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: The worker is gone, the source is of an unknown kind, or AWS refuses.
    """
    return open_source(aws, settings_of(aws, worker).variables, worker=worker.short_name)


def dead_letters_of(aws: Aws, worker: Worker) -> DeadLetterStore:
    """Where the dead letters of a worker lie.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: Its source keeps none, the worker is gone, or AWS refuses.
    """
    source = source_of(aws, worker)
    store = source.dead_letters
    if store is None:
        raise OperationsError(f"{worker.short_name}: its source, {source.name}, keeps no dead letters.")
    return store

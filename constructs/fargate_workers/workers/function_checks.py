"""What Lambda bears of a function on a queue, checked before anything is deployed. Pure arithmetic."""

import re
from dataclasses import dataclass

from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError

#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_TIMEOUT = 900

#: Between the longest handler and the function's time-out: the runtime needs the last five, its start the others.
RUNTIME_SECONDS, ENDING_SECONDS = 10, 5

#: Of the visibility timeout, for each second of the time-out, and of the deliveries before a message is given up:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
FEWEST_RECEIVES = 5

#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
LARGEST_BATCH, LARGEST_FIFO_BATCH, LONGEST_WINDOW = 10_000, 10, 300
LEAST_CONCURRENCY, MOST_CONCURRENCY = 2, 1_000
#: The fewest pollers and the most, each of which invokes up to ten at once.
FEWEST_POLLERS, MOST_POLLERS, INVOKES_PER_POLLER = (2, 200), (2, 2_000), 10

#: Of one queue: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_IN_FLIGHT = 120_000

DEFAULT_CONCURRENCY = 10

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Pollers:
    """How an event source mapping polls.

    Args:
        batch_size: Messages of one invocation at most.
        window_seconds: Seconds for which they may gather.
        max_concurrency: Invocations at once at most.
        provisioned: The fewest pollers and the most, if they are provisioned.
    """

    batch_size: int
    window_seconds: int
    max_concurrency: int
    provisioned: tuple[int, int] | None


def timeout_of(id: str, max_processing: int, wanted: int | None = None) -> int:
    """The function's time-out for handlers of so many seconds.

    Args:
        id: The id of the function, for the error.
        max_processing: Seconds that a handler may take over one message.
        wanted: The time-out in seconds that its owner wants. None is ten seconds more than a handler may take.

    Raises:
        ConfigurationError: Lambda ends a function earlier, or the runtime has no time left for its answer.
    """
    if not 1 <= max_processing <= LONGEST_TIMEOUT - RUNTIME_SECONDS:
        raise ConfigurationError(
            f"{id}: max_processing is {in_words(max_processing)}; Lambda ends a function after "
            f"{in_words(LONGEST_TIMEOUT)}, of which {RUNTIME_SECONDS} s are the runtime's: use 1 to "
            f"{LONGEST_TIMEOUT - RUNTIME_SECONDS} s, or a QueueWorker."
        )
    timeout = max_processing + RUNTIME_SECONDS if wanted is None else wanted
    if not max_processing + ENDING_SECONDS <= timeout <= LONGEST_TIMEOUT:
        raise ConfigurationError(
            f"{id}: timeout is {in_words(timeout)}; the runtime needs {ENDING_SECONDS} s after a handler's longest "
            f"({in_words(max_processing)}) and Lambda ends a function after {in_words(LONGEST_TIMEOUT)}: use "
            f"{max_processing + ENDING_SECONDS} to {LONGEST_TIMEOUT} s, or change max_processing."
        )
    return timeout


def needed_visibility(timeout: int, window: int) -> int:
    """The shortest visibility timeout of the queue, in seconds."""
    return VISIBILITY_FACTOR * timeout + window


def check_visibility(id: str, visibility: int, *, timeout: int, window: int) -> None:
    """Check the visibility timeout of the queue, by which Lambda polls it.

    Args:
        id: The id of the function, for the error.
        visibility: Seconds that a received message stays hidden.
        timeout: The function's time-out in seconds.
        window: Seconds for which messages may gather.

    Raises:
        ConfigurationError: Messages would come back while they are handled.
    """
    needed = needed_visibility(timeout, window)
    if visibility < needed:
        raise ConfigurationError(
            f"{id}: the queue's visibility_timeout is {in_words(visibility)}, and Lambda needs 6 times the function's "
            f"time-out ({timeout} s) and the batch window ({window} s): make it {in_words(needed)} or more, or lower "
            "max_processing."
        )


def pollers_of(
    id: str,
    *,
    fifo: bool,
    batch_size: int,
    window: int,
    max_concurrency: int | None,
    reserved_concurrency: int | None,
    provisioned: tuple[int, int] | None,
) -> Pollers:
    """How the mapping polls.

    Args:
        id: The id of the function, for the error.
        fifo: Whether the queue is FIFO.
        batch_size: Messages of one invocation at most.
        window: Seconds for which they may gather.
        max_concurrency: Invocations at once at most. None is the default.
        reserved_concurrency: Invocations that are set aside for the function. None is none.
        provisioned: The fewest pollers and the most. None is not provisioned.

    Raises:
        ConfigurationError: Lambda takes no such value, or no such combination.
    """
    _check_batch(id, fifo=fifo, batch_size=batch_size, window=window)
    if provisioned is not None:
        _check_provisioned(id, provisioned, max_concurrency)
        most = INVOKES_PER_POLLER * provisioned[1]
    else:
        most = DEFAULT_CONCURRENCY if max_concurrency is None else max_concurrency
        if not LEAST_CONCURRENCY <= most <= MOST_CONCURRENCY:
            raise ConfigurationError(
                f"{id}: max_concurrency is {most}; Lambda takes {LEAST_CONCURRENCY} to {MOST_CONCURRENCY}."
            )
    if reserved_concurrency is not None and most > reserved_concurrency:
        raise ConfigurationError(
            f"{id}: up to {most} invocations at once exceed reserved_concurrency={reserved_concurrency}, and Lambda "
            "would throttle messages until they are dropped; raise it, or lower max_concurrency."
        )
    if most * batch_size > MOST_IN_FLIGHT:
        raise ConfigurationError(
            f"{id}: {most} invocations of {batch_size} messages are more than the {MOST_IN_FLIGHT} that a queue lets "
            "be in flight; lower max_concurrency or batch_size."
        )
    return Pollers(batch_size=batch_size, window_seconds=window, max_concurrency=most, provisioned=provisioned)


def handler_of(id: str, command: str) -> str:
    """The handler as Lambda's runtime client takes it, of a module or a `module:attribute`.

    Args:
        id: The id of the function, for the error.
        command: The module, such as "order_pipeline.apply_orders"; its attribute is "handler" unless it is named.

    Raises:
        ConfigurationError: It is neither.
    """
    module, _, attribute = command.partition(":")
    if not _MODULE.fullmatch(module) or not (attribute or ":" not in command) or "." in attribute:
        raise ConfigurationError(
            f'{id}: command is {command!r}; name the module of the handler, such as "order_pipeline.apply_orders", '
            'or "order_pipeline.apply_orders:handler".'
        )
    return f"{module}.{attribute or 'handler'}"


def _check_batch(id: str, *, fifo: bool, batch_size: int, window: int) -> None:
    kind, largest = ("FIFO", LARGEST_FIFO_BATCH) if fifo else ("standard", LARGEST_BATCH)
    if not 1 <= batch_size <= largest:
        raise ConfigurationError(f"{id}: batch_size is {batch_size}; Lambda takes 1 to {largest} of a {kind} queue.")
    if fifo and window:
        raise ConfigurationError(f"{id}: Lambda lets messages of a FIFO queue not gather; leave batch_window out.")
    if not 0 <= window <= LONGEST_WINDOW:
        raise ConfigurationError(f"{id}: batch_window is {in_words(window)}; Lambda takes 0 to {LONGEST_WINDOW} s.")
    if batch_size > LARGEST_FIFO_BATCH and window < 1:
        raise ConfigurationError(
            f"{id}: a batch_size of {batch_size} needs messages to gather; set batch_window to 1 s or more."
        )


def _check_provisioned(id: str, provisioned: tuple[int, int], max_concurrency: int | None) -> None:
    if max_concurrency is not None:
        raise ConfigurationError(
            f"{id}: max_concurrency and provisioned_pollers exclude each other; each poller invokes up to "
            f"{INVOKES_PER_POLLER} at once, so leave max_concurrency out."
        )
    fewest, most = provisioned
    for name, value, (least, largest) in (("fewest", fewest, FEWEST_POLLERS), ("most", most, MOST_POLLERS)):
        if not least <= value <= largest:
            raise ConfigurationError(
                f"{id}: provisioned_pollers has {value} as the {name}; Lambda takes {least} to {largest}."
            )
    if fewest > most:
        raise ConfigurationError(f"{id}: provisioned_pollers is ({fewest}, {most}); put the fewest first.")

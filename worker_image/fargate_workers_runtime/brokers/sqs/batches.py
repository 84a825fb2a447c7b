"""Batches that respect both of SQS's limits: entries and bytes."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

#: The most entries that one request carries.
BATCH = 10

#: SQS's limit for a whole batch, attributes included; the same as for one message.
MAX_BATCH_BYTES = 1024 * 1024


def batches(
    items: Iterable[T], *, size_of: Callable[[T], int], max_items: int = BATCH, max_bytes: int = MAX_BATCH_BYTES
) -> Iterator[list[T]]:
    """Group `items` in order, lazily, into lists of at most `max_items` and `max_bytes`.

    An item larger than that goes alone.
    """
    batch: list[T] = []
    held = 0
    for item in items:
        size = size_of(item)
        if batch and (len(batch) == max_items or held + size > max_bytes):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += size
    if batch:
        yield batch

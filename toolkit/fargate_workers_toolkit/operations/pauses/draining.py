"""The wait until a source has nothing left to do."""

from collections.abc import Callable

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.sources import Depth, Source

#: A source is empty when it was empty for so many looks: SQS's counts are approximate.
_EMPTY_LOOKS = 3
_LOOK_EVERY = 5.0


def drain(source: Source, *, within: float, clock: Clock, report: Callable[[Depth], None] = lambda _: None) -> bool:
    """Wait until a source is empty. Nothing is changed by that.

    Args:
        source: The source.
        within: Seconds to wait at most.
        clock: The time.
        report: Receives what the source holds, at every look. Defaults to nothing.

    Returns:
        Whether it is empty.

    Raises:
        OperationsError: AWS refuses.
    """
    began, empty = clock.now(), 0
    while True:
        depth = source.depth()
        report(depth)
        empty = empty + 1 if depth.total == 0 else 0
        if empty >= _EMPTY_LOOKS:
            return True
        if clock.now() - began >= within:
            return False
        clock.sleep(_LOOK_EVERY)

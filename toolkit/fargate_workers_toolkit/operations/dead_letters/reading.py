"""One pass over the dead letters of a worker. What it leases is released when it ends, however it ends."""

import math
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore

#: Requests at once, each for ten letters.
RECEIVERS = 10
_AT_ONCE = 10
#: Passes without a new letter after which there is none, as far as can be seen.
_IN_VAIN = 2
#: Seconds for which letters stay leased when the process is killed: enough for the pass.
_LEAST_LEASE = 30
_LETTERS_A_SECOND = 100


@dataclass
class Pass:
    """How far one pass over the dead letters is.

    Args:
        expected: Letters that were there when it began, as the source counts them.
        lease: Seconds for which a letter stays leased if nobody releases it.
        tokens: The token of each letter that is leased, by its id.
        seen: How many letters were seen.
    """

    expected: int
    lease: int
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    seen: int = 0

    @property
    def complete(self) -> bool:
        """Whether as many letters were seen as there were."""
        return self.seen >= self.expected

    def gone(self, letter: DeadLetter) -> None:
        """Note that a letter was deleted, and need not be released.

        Args:
            letter: The letter.
        """
        self.tokens.pop(letter.id, None)


@contextmanager
def passing(
    store: DeadLetterStore, *, receivers: int = RECEIVERS, lease: int | None = None
) -> Generator[tuple[Pass, Generator[DeadLetter]]]:
    """Look at every dead letter once.

        with passing(store) as (state, letters):
            for letter in letters:
                ...

    The letters are leased until the block ends, because a standard queue would otherwise hand out the same ones again.
    An alarm counts leased letters as well, and a look is no delivery that a letter could die of.

    Args:
        store: Where they lie.
        receivers: Requests at once. Letters that are ordered come one request after the other. Defaults to 10.
        lease: Seconds for which a letter stays leased if this process is killed. Defaults to enough for the pass.

    Yields:
        How far the pass is, and the letters.
    """
    depth = store.depth()
    if lease is None:
        lease = _LEAST_LEASE + math.ceil(depth.total / _LETTERS_A_SECOND)
    state = Pass(expected=depth.total, lease=lease)
    letters = _letters(store, state, receivers=1 if store.ordered else receivers)
    try:
        yield state, letters
    finally:
        letters.close()
        store.release(list(state.tokens.values()))


def _letters(store: DeadLetterStore, state: Pass, *, receivers: int) -> Generator[DeadLetter]:
    in_vain = 0
    known: set[str] = set()
    with ThreadPoolExecutor(max_workers=receivers) as pool:
        while in_vain < _IN_VAIN:
            missing = state.expected - state.seen
            wait = 1 if missing > 0 else 0
            requests = max(1, min(receivers, math.ceil(missing / _AT_ONCE)))
            pending = [pool.submit(store.lease, seconds=state.lease, wait=wait) for _ in range(requests)]
            try:
                batches = [future.result() for future in pending]
            except BaseException:
                _remember(pending, state)
                raise
            leased = [letter for batch in batches for letter in batch]
            # Before the first is handed on: whatever happens then, all are released.
            state.tokens.update((letter.id, letter.token) for letter in leased)
            # By id: a standard queue may hand out one letter to two requests.
            new = [letter for letter in {each.id: each for each in leased}.values() if letter.id not in known]
            known.update(letter.id for letter in new)
            if not new:
                in_vain = _IN_VAIN if state.complete else in_vain + 1
                continue
            in_vain = 0
            for letter in new:
                state.seen += 1
                yield letter


def _remember(pending: list[Future[list[DeadLetter]]], state: Pass) -> None:
    """Note what was leased by requests that nobody waits for any more, so that it is released."""
    for future in pending:
        if not future.cancel() and future.exception() is None:
            state.tokens.update((letter.id, letter.token) for letter in future.result())

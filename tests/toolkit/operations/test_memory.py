"""Ten thousand letters are counted and filtered one by one: none is kept."""

import json
import tracemalloc
from collections.abc import Sequence

from fargate_workers_toolkit.operations.dead_letters import Filter, Groups, passing
from fargate_workers_toolkit.operations.sources import DeadLetter, Depth
from tests.toolkit.operations.letters import MemoryStore, MovedClock

LETTERS = 10_000
MOST_BYTES = 20 * 1024 * 1024


class EndlessStore(MemoryStore):
    """Letters of a kilobyte that exist only while somebody has them."""

    def __init__(self) -> None:
        super().__init__(MovedClock(), letters=0)
        self.left = LETTERS
        self.released = 0

    def depth(self) -> Depth:
        return Depth(waiting=LETTERS, in_flight=0)

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        del seconds, wait
        some, self.left = min(10, self.left), self.left - min(10, self.left)
        letters = [self.add(json.dumps({"amount": number, "text": "x" * 1_000})) for number in range(some)]
        self.letters.clear()
        return letters

    def release(self, tokens: Sequence[str]) -> None:
        self.released = len(tokens)


def test_a_look_at_ten_thousand_letters_keeps_none_of_them() -> None:
    store, groups, where = EndlessStore(), Groups(), Filter.parse("body.amount > 4")
    tracemalloc.start()

    with passing(store, receivers=1) as (state, letters):
        for letter in letters:
            if where.matches(letter, now=0.0):
                groups.add(letter)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (state.seen, groups.total, store.released) == (LETTERS, LETTERS // 2, LETTERS)
    assert peak < MOST_BYTES, peak

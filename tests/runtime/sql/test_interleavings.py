"""Whatever the order in which two attempts at one key take their steps, the key has one effect."""

from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fargate_workers_runtime.claims import EffectAttempt
from fargate_workers_runtime.errors import EffectRefused
from fargate_workers_runtime.sql import PostgresEffects
from tests.doubles.postgres_server import WORKER, PostgresDatabase
from tests.runtime.sql.conftest import claim_that_waits

End = Literal["commit", "roll back", "cut"]


class Attempt:
    """An attempt in steps: claim, effect, end. A claim that has to wait is given up at once, as after a second."""

    def __init__(self, database: PostgresDatabase, effects: PostgresEffects, key: str, end: End) -> None:
        self._connection = database.connect(user=WORKER)
        self._attempt = EffectAttempt(key=key, payload="same")
        self._block = effects.effect_in(self._connection, self._attempt)
        self._key, self._end = key, end
        self._steps = [self._claim, self._write, self._finish]
        self.outcome: str = ""

    def step(self) -> None:
        if self._steps:
            self._steps.pop(0)()

    def finish(self) -> None:
        while self._steps:
            self.step()

    def _claim(self) -> None:
        try:
            self._block.__enter__()
        except EffectRefused as refused:
            self.outcome = refused.why
            self._steps.clear()
            self._connection.close()

    def _write(self) -> None:
        self._connection.execute("INSERT INTO orders VALUES (%s, 1)", (self._key,))

    def _finish(self) -> None:
        self._block.__exit__(None, None, None)
        if self._end == "commit":
            self._connection.commit()
        elif self._end == "roll back":
            self._connection.rollback()
        self.outcome = "effect" if self._end == "commit" else "nothing"
        self._connection.close()


def test_any_interleaving_of_two_attempts_has_one_effect(
    database: PostgresDatabase, effects: PostgresEffects, monkeypatch: Any
) -> None:
    from fargate_workers_runtime.sql import effect

    monkeypatch.setattr(effect, "CLAIM", claim_that_waits(milliseconds=1))
    number = iter(range(10_000))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        order=st.lists(st.integers(0, 1), min_size=6, max_size=6),
        ends=st.tuples(*[st.sampled_from(["commit", "roll back", "cut"])] * 2),
    )
    def check(order: list[int], ends: tuple[End, End]) -> None:
        key = str(next(number))
        attempts = [Attempt(database, effects, key, end) for end in ends]
        for which in order:
            attempts[which].step()
        for attempt in attempts:
            attempt.finish()
        outcomes = [attempt.outcome for attempt in attempts]
        assert outcomes.count("effect") <= 1
        # A redelivery, at last: done where it is done, and done now where it is not.
        last = Attempt(database, effects, key, "commit")
        last.finish()
        assert last.outcome == ("done" if "effect" in outcomes else "effect")
        assert database.execute("SELECT count(*) FROM orders WHERE id = %s", (key,)) == [(1,)]

    check()

"""Transactions with and without a claim, in turns, against one server that waits for its disk."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from fargate_workers_runtime import connect_postgres
from fargate_workers_runtime.claims import EffectAttempt
from fargate_workers_runtime.errors import EffectRefused
from fargate_workers_runtime.sql import PostgresEffects
from tests.doubles.postgres_server import WORKER, postgres_server

_INSERT = b"INSERT INTO orders VALUES (%s, %s)"
_PAYLOAD = "0" * 32


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Transactions a second, by the first quartile of all turns, and how much longer one with a claim takes.

    Attributes:
        bare: An order alone.
        claimed: An order with its claim.
        refused: A duplicate, which ends at its claim.
        ratio: The time with a claim in that without.
        median_ratio: The same, of the medians instead of the first quartiles.
    """

    bare: float
    claimed: float
    refused: float
    ratio: float
    median_ratio: float


def measure(*, handlers: int, turns: int, transactions: int) -> Rates:
    """Turns of so many transactions of each kind.

    What else the machine does meets both kinds of a turn alike: they follow each other at once, each first every other
    time.

    Args:
        handlers: How many write at once.
        turns: How many.
        transactions: Of each kind in a turn.
    """
    with postgres_server(durable=True) as server:
        database = server.create_database()
        database.execute(f"CREATE TABLE orders (id text, amount integer); GRANT INSERT ON orders TO {WORKER}")
        with connect_postgres(database.environment()) as pool, ThreadPoolExecutor(handlers) as threads:
            effects = PostgresEffects(pool, scope="orders", keep=28 * 24 * 3600)
            bare, claimed = _bare(pool), _claimed(pool, effects)
            for warm_up in (bare, claimed):
                _seconds(threads, handlers, warm_up, _keys(transactions))
            without, with_claim = [], []
            for turn in range(turns):
                for kind in (bare, claimed) if turn % 2 else (claimed, bare):
                    took = _seconds(threads, handlers, kind, _keys(transactions))
                    (without if kind is bare else with_claim).append(took)
            done = _keys(transactions)
            _seconds(threads, handlers, claimed, done)
            refused = _undisturbed([_seconds(threads, handlers, claimed, done) for _ in range(8)])
    alone, with_it = _undisturbed(without), _undisturbed(with_claim)
    return Rates(
        bare=transactions / alone,
        claimed=transactions / with_it,
        refused=transactions / refused,
        ratio=with_it / alone,
        median_ratio=median(with_claim) / median(without),
    )


def _undisturbed(seconds: Sequence[float]) -> float:
    """The first quartile: what else a machine does makes turns longer, and none shorter."""
    return quantiles(seconds, n=4)[0]


def _bare(pool: Any) -> Callable[[str], None]:
    def write(key: str) -> None:
        with pool.connection() as connection:
            connection.execute(_INSERT, (key, 1), prepare=True)

    return write


def _claimed(pool: Any, effects: PostgresEffects) -> Callable[[str], None]:
    def write(key: str) -> None:
        attempt = EffectAttempt(key=key, payload=_PAYLOAD)
        try:
            with pool.connection() as connection, effects.effect_in(connection, attempt):
                connection.execute(_INSERT, (key, 1), prepare=True)
        except EffectRefused:
            pass

    return write


def _seconds(threads: ThreadPoolExecutor, handlers: int, write: Callable[[str], None], keys: Sequence[str]) -> float:
    numbers, lock = itertools.count(), threading.Lock()

    def work(_thread: int) -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= len(keys):
                return
            write(keys[number])

    began = time.perf_counter()
    list(threads.map(work, range(handlers)))
    return time.perf_counter() - began


def _keys(number: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(number)]

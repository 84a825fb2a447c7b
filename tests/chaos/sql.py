"""python -m tests.chaos.sql --processes 8 --messages 10000 --duplicates 0.3 --restarts 1 --seed 7

Workers in processes of their own claim keys in one PostgreSQL, in the transactions of their effects, while handlers
fail between effect and commit and the primary crashes. Exit code 0 if each distinct key has exactly one effect, one
claim, and no message is a dead letter; 1 if not.
"""

import argparse
import logging
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_runtime import Message, connect_postgres
from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sql import PostgresEffects
from fargate_workers_runtime.testing import MemoryQueue
from tests.doubles.postgres_server import WORKER, PostgresDatabase, postgres_server
from tests.faults.program import be_quick

_TABLE = f"CREATE TABLE orders (id text, amount integer); GRANT INSERT ON orders TO {WORKER}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What happens.

    Attributes:
        processes: Workers.
        messages: Of each.
        duplicates: The share of messages that repeat a key, in whichever process.
        failing: The share of attempts that fail between effect and commit.
        restarts: How often the primary crashes meanwhile.
        concurrency: Handlers of a worker at a time.
        seed: Of all chance.
    """

    processes: int = 8
    messages: int = 10_000
    duplicates: float = 0.3
    failing: float = 0.02
    restarts: int = 1
    concurrency: int = 4
    seed: int = 7

    @property
    def distinct(self) -> int:
        """Keys, each of which must have one effect."""
        return round(self.processes * self.messages * (1 - self.duplicates))

    def shares(self) -> list[list[dict[str, Any]]]:
        """The messages of each process."""
        chance = random.Random(self.seed)
        keys = list(range(self.distinct))
        keys += chance.choices(keys, k=self.processes * self.messages - len(keys))
        chance.shuffle(keys)
        bodies = [{"order_id": f"order-{key}", "amount": key} for key in keys]
        return [bodies[start :: self.processes] for start in range(self.processes)]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of it."""

    orders: int
    distinct_orders: int
    claims: int
    dead_letters: int
    restarts: int
    seconds: float

    def good(self, scene: Scene) -> bool:
        """Whether each key has exactly one effect."""
        counts = {self.orders, self.distinct_orders, self.claims}
        return counts == {scene.distinct} and not self.dead_letters and self.restarts == scene.restarts


def play(scene: Scene) -> Result:
    """Let it happen, on a server of its own."""
    spawn = multiprocessing.get_context("spawn")
    began = time.monotonic()
    with postgres_server() as server:
        database = server.create_database()
        database.execute(_TABLE)
        letters = spawn.SimpleQueue()
        processes = [
            spawn.Process(
                target=work,
                args=(database.environment(DATABASE_CONNECTIONS=str(scene.concurrency)), share, scene, number, letters),
            )
            for number, share in enumerate(scene.shares())
        ]
        for process in processes:
            process.start()
        restarts = _restart(database, scene, processes)
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            raise RuntimeError("A worker has failed; its log is above.")
        ((orders, distinct),) = database.execute("SELECT count(*), count(DISTINCT id) FROM orders")
        ((claims,),) = database.execute("SELECT count(*) FROM message_claims")
    return Result(
        orders=orders,
        distinct_orders=distinct,
        claims=claims,
        dead_letters=sum(letters.get() for _ in processes),
        restarts=restarts,
        seconds=time.monotonic() - began,
    )


def work(
    environment: Mapping[str, str], bodies: Sequence[Mapping[str, Any]], scene: Scene, number: int, letters: Any
) -> None:
    """One worker's life: until each of its messages has ended."""
    os.environ.update(environment)
    logging.disable(logging.CRITICAL)
    chance = random.Random(scene.seed + number)
    be_quick()
    queue = MemoryQueue(bodies)
    with connect_postgres(environment) as pool:
        effects = PostgresEffects(pool, scope="orders", keep=3600)

        def handle(message: Message) -> None:
            with pool.connection() as connection, message.effect_in(connection):
                values = (message.body["order_id"], message.body["amount"])
                connection.execute("INSERT INTO orders VALUES (%s, %s)", values)
                if chance.random() < scene.failing:
                    raise TimeoutError

        settings = Settings(
            worker_name="orders",
            queue_url="memory",
            receive_wait=0,
            health_file=None,
            concurrency=scene.concurrency,
            max_attempts=100,
        )
        while not queue.empty:
            run_once(handle, queue=queue, effects=effects, idempotency_key="/order_id", settings=settings)
            if (seconds := queue.seconds_to_next) is not None:
                time.sleep(seconds)
    letters.put(len(queue.dead_letters))


def _restart(database: PostgresDatabase, scene: Scene, processes: Sequence[Any]) -> int:
    """Crash the primary when so many of the orders are there; returns how often."""
    for crash in range(scene.restarts):
        wanted = scene.distinct * (crash + 1) // (scene.restarts + 1)
        while database.execute("SELECT count(*) FROM orders")[0][0] < wanted:
            if not any(process.is_alive() for process in processes):
                return crash
            time.sleep(0.05)  # a poll's pace
        database.server.restart()
    return scene.restarts


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.sql", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Scene()
    for name in ("processes", "messages", "restarts", "concurrency", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    for name in ("duplicates", "failing"):
        parser.add_argument(f"--{name}", type=float, default=getattr(default, name))
    scene = Scene(**vars(parser.parse_args(arguments)))
    result = play(scene)
    for name, value in vars(result).items():
        print(f"{name:<16}{value:>12,.0f}")
    print(f"{'distinct keys':<16}{scene.distinct:>12,}")
    print("Good" if result.good(scene) else "Bad", f"with seed {scene.seed}")
    return 0 if result.good(scene) else 1


if __name__ == "__main__":
    sys.exit(main())

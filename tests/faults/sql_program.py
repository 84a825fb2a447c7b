"""A worker whose handler makes its effect in PostgreSQL, and which is hurt at a chosen step of its transaction."""

import os
import sys
import time
from pathlib import Path

from fargate_workers_runtime import Message, connect_postgres
from fargate_workers_runtime.entry_points import run
from fargate_workers_runtime.sql import connection, effects
from tests.faults.program import Plan, be_quick

#: The steps of a handler, in order: before its transaction, in it before the claim, after the claim, after the effect,
#: and after the commit.
STEPS = ("handled", "begun", "claimed", "written", "committed")

#: A file with this name lets a process go on that waits for what happens outside of it.
GO_ON = "go-on"


def work_with_sql(plan: Plan) -> None:
    """The process's life; at the step `plan.at` it gets the signal that it `sends`, or waits, if that is SIGCONT."""
    os.environ.clear()
    os.environ.update(plan.environment)
    os.dup2(os.open(plan.folder / f"{plan.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    be_quick()
    connection._PATIENCE_SECONDS = effects._PATIENCE_SECONDS = 1.0  # type: ignore[assignment]  # noqa: SLF001
    met: list[str] = []

    def reach(step: str) -> None:
        if step != plan.at or met:
            return
        met.append(step)
        (plan.folder / f"{plan.name}.signalled").write_text(f"{time.time()}\n")
        os.kill(os.getpid(), plan.sends)
        while plan.name == "waiting" and not (plan.folder / GO_ON).exists():
            time.sleep(0.01)  # a poll's pace

    def handle(message: Message) -> None:
        reach("handled")
        with connect_postgres(os.environ).connection() as borrowed:
            reach("begun")
            with message.effect_in(borrowed):
                reach("claimed")
                borrowed.execute("INSERT INTO orders VALUES (%s, 1)", (message.body["order_id"],))
                reach("written")
        reach("committed")

    run(handle, idempotency_key="/order_id")


def go_on(folder: Path) -> None:
    """Let the process of `folder` go on."""
    (folder / GO_ON).touch()

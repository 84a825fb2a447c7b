"""Claims in PostgreSQL, in the effect's own transaction: whatever happens at whichever step, one key has one effect."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGTERM, Signals
from threading import Barrier

import pytest

from tests.doubles.postgres_server import WORKER, PostgresDatabase, PostgresServer, postgres_server
from tests.doubles.tcp_proxy import TcpProxy
from tests.faults.rig import Process, Rig, Server, until
from tests.faults.sql_program import STEPS, go_on, work_with_sql
from tests.patience import PATIENCE

#: The first needs all of its runs at the same time.
FAULTS = ("primary restarted", "kill -9", "SIGTERM", "connection cut")

#: Of a process that waits at its step until the fault has happened.
_SIGNALS: dict[str, Signals] = {"kill -9": SIGKILL, "SIGTERM": SIGTERM}


class Run:
    """One order on a queue of its own, met by a fault at one step."""

    def __init__(
        self, server: Server, database: PostgresDatabase, crash: Barrier, folder: Path, fault: str, step: str
    ) -> None:
        self.fault, self.step = fault, step
        self.crash = crash
        self.rig = Rig(server, folder / repr(self).replace(" ", "-"))
        self.database = database
        self.proxy = TcpProxy(database.server.port)
        self.exit_code: int | None = None

    def __repr__(self) -> str:
        return f"{self.fault} at {self.step!r}"

    def run(self) -> "Run":
        with self.proxy:
            try:
                self._run()
            finally:
                self.rig.close()
        return self

    @property
    def orders(self) -> int:
        return len(self.database.execute("SELECT 1 FROM orders WHERE id = %s", (repr(self),)))

    @property
    def claims(self) -> int:
        return len(self.database.execute("SELECT 1 FROM message_claims WHERE key = %s", (repr(self),)))

    def _run(self) -> None:
        self.rig.send(repr(self))
        name = "first" if self.fault in _SIGNALS else "waiting"
        first = self._start(name, at=self.step, sends=_SIGNALS.get(self.fault, SIGCONT))
        until(lambda: first.signalled_at() is not None)
        if self.fault == "connection cut":
            self.proxy.reset()
            self.proxy.heal()
        elif self.fault == "primary restarted":
            self.crash.wait(PATIENCE)
        go_on(self.rig.folder)
        if self.fault in _SIGNALS:
            self.exit_code = first.ended()
            if not self.rig.empty:
                self._start("second")
        until(lambda: self.rig.empty)

    def _start(self, name: str, **changes: object) -> Process:
        variables = self.database.environment(port=self.proxy.port)
        return self.rig.start(name, program=work_with_sql, **variables, **changes)


def database_of_orders(server: PostgresServer) -> PostgresDatabase:
    """A database with the table in which the effects are made."""
    database = server.create_database()
    database.execute(f"CREATE TABLE orders (id text, amount integer); GRANT INSERT ON orders TO {WORKER}")
    return database


@pytest.fixture(scope="module")
def runs(
    server: Server, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], list[Run]]]:
    """The runs of a fault, one for each step; those of all faults are under way at the same time."""
    folder = tmp_path_factory.mktemp("sql")
    with postgres_server() as crashing, ThreadPoolExecutor(8) as threads:
        # A server of its own: a process that starts while its primary restarts ends, and none comes after it here.
        restarted, steady = database_of_orders(crashing), database_of_orders(postgres)
        crash = Barrier(len(STEPS), action=crashing.restart)  # one crash, which meets a run at each step
        futures = {
            (fault, step): threads.submit(
                Run(server, restarted if fault == FAULTS[0] else steady, crash, folder, fault, step).run
            )
            for fault in FAULTS
            for step in STEPS
        }
        for future in futures.values():
            future.exception()  # until then, a run may restart the database in which another's orders are counted
        yield lambda fault: [futures[fault, step].result() for step in STEPS]


@pytest.mark.fault(53)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_key_has_one_effect(runs: Callable[[str], list[Run]], fault: str) -> None:
    for run in runs(fault):
        assert run.orders == 1, run
        assert run.claims == 1, run
        assert run.rig.empty, run
        assert run.rig.dead_letters == [], run


@pytest.mark.fault(53)
def test_a_worker_that_is_asked_to_stop_ends_its_transaction_first(runs: Callable[[str], list[Run]]) -> None:
    for run in runs("SIGTERM"):
        assert run.exit_code == 0, run
        assert len(run.rig.processes) == 1, run


@pytest.mark.fault(53)
def test_a_database_that_restarts_fails_no_message(runs: Callable[[str], list[Run]]) -> None:
    """What it interrupts is postponed, or tried again; the process goes on."""
    for run in runs("primary restarted"):
        (process,) = run.rig.processes
        assert process.exit_code in (None, -SIGKILL), run

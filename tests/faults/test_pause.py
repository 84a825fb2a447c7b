"""SIGSTOP at every step, as a long garbage collection, a frozen host or a starved CPU would have it.

The worker sleeps through the end of its lease, another one does the work, and then the first one wakes up and goes on
where it was.
"""

from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from tests.faults import clock
from tests.faults.rig import Rig, Server, until
from tests.faults.sweep import Case, Run, Sweep

CASES: list[Case] = [
    ("handled", "none"),
    ("handled", "dynamodb"),
    ("handled", "redis"),
    ("handled for long", "dynamodb"),
    ("poison", "none"),
    ("transacted", "dynamodb"),
]


@pytest.fixture(scope="module")
def sweep(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with Sweep(server, tmp_path_factory.mktemp("pause"), CASES, sends=SIGSTOP, then=_wake) as sweep:
        yield sweep


def _wake(run: Run) -> None:
    until(lambda: run.first.state == "T")
    run.go_on()
    steps = len(run.first.steps())
    run.first.send(SIGCONT)

    def goes_on() -> bool:
        if len(run.first.steps()) > steps or run.first.exit_code is not None:
            return True
        clock.advance(run.rig.folder, 1.0)  # its handler may wait as long as its lease for a heartbeat that never comes
        return False

    until(goes_on)
    run.first.send(SIGTERM)
    run.wait_for_the_end()


def _logged(run: Run, event: str) -> int:
    """How often any of the processes said so."""
    return [event for process in run.rig.processes for event in process.logged()].count(event)


@pytest.mark.fault(15)
@pytest.mark.parametrize("case", CASES, ids=" with claims in ".join)
def test_a_worker_that_slept_through_its_lease_loses_nothing_and_takes_nothing_away(sweep: Sweep, case: Case) -> None:
    for run in sweep.runs(case):
        assert run.exit_code == 0, run
        assert run.rig.empty, run
        assert run.deliveries <= 2, run
        if case[0] == "poison":
            assert {letter.body for letter in run.rig.dead_letters} == {"{"}, run
        else:
            assert run.rig.effects() >= 1, run
            assert run.rig.dead_letters == [], run


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    "case", [case for case in CASES if case[1] != "none" and case[0] != "transacted"], ids=" with claims in ".join
)
def test_of_two_that_ran_one_message_only_the_one_with_the_claim_completes_it(sweep: Sweep, case: Case) -> None:
    # A handler that writes without asking is not held back by anyone: the effect repeats if the pause fell amid the
    # handler, or between it and its completion. The next test shows what does hold it back.
    for run in sweep.runs(case):
        both = len(run.rig.history("begun")) == 2
        assert _logged(run, "handled") == 1, run
        assert _logged(run, "fenced") == (1 if both else 0), run
        assert run.rig.effects() == (2 if both else 1), run


@pytest.mark.fault(26)
def test_the_late_writer_of_a_transaction_writes_nothing(sweep: Sweep) -> None:
    runs = sweep.runs(("transacted", "dynamodb"))
    for run in runs:
        assert run.rig.effects() == 1, run
        assert _logged(run, "handled") == 1, run
    assert any(len(run.rig.history("begun")) == 2 for run in runs)


@pytest.mark.fault(15)
def test_a_stop_right_after_a_pause_is_heeded(rig: Rig) -> None:
    # While the main thread is stopped, Linux gives the signal to another one, and nothing interrupts what the main
    # thread waits for: https://docs.python.org/3/library/signal.html#signals-and-threads
    workers = [rig.start(f"worker-{number}") for number in range(5)]
    for worker in workers:
        until(lambda: "ReceiveMessage 1 answered" in worker.steps())  # noqa: B023
        worker.send(SIGSTOP)
        until(lambda: worker.state == "T")  # noqa: B023
        worker.send(SIGCONT)
        worker.send(SIGTERM)
    assert [worker.ended() for worker in workers] == [0] * 5

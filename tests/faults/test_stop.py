"""SIGTERM at every step, and how a worker ends."""

from collections.abc import Iterator
from signal import SIGINT, SIGKILL, SIGSTOP, SIGTERM

import pytest

from tests.faults.rig import Rig, Server, until
from tests.faults.sweep import Case, Run, Sweep

CASES: list[Case] = [
    ("handled", "none"),
    ("handled", "dynamodb"),
    ("handled", "redis"),
    ("handled for long", "dynamodb"),
    ("failed once", "dynamodb"),
    ("poison", "none"),
    ("given up", "redis"),
    ("transacted", "dynamodb"),
]

#: The longest that a first failure waits for its second attempt, in seconds.
_BACK_OFF = 2


@pytest.fixture(scope="module")
def sweep(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with Sweep(server, tmp_path_factory.mktemp("stop"), CASES, sends=SIGTERM, then=_go_on) as sweep:
        yield sweep


def _go_on(run: Run) -> None:
    run.wait_for_the_end()
    run.go_on()


@pytest.mark.fault(4)
@pytest.mark.parametrize("case", CASES, ids=" with claims in ".join)
def test_a_stop_at_any_step_leaves_nothing_hidden_and_nothing_done_twice(sweep: Sweep, case: Case) -> None:
    for run in sweep.runs(case):
        assert run.exit_code == 0, run
        hidden_for = 0 if run.back_at is None else run.back_at - run.ended_at
        assert hidden_for <= (_BACK_OFF if case[0] == "failed once" else 0), run
        assert run.back_at is None or not run.effect_made, run  # the acknowledgement was sent
        assert run.rig.effects() == (0 if case[0] == "poison" else 1), run
        assert len(run.rig.dead_letters) == (1 if case[0] == "poison" else 0), run


@pytest.fixture
def held(rig: Rig) -> Rig:
    """Ten messages, whose handlers do not end before the file `hold` goes."""
    (rig.folder / "hold").touch()
    for number in range(10):
        rig.send(str(number), does="hold")
    return rig


def _begun(rig: Rig, number: int) -> bool:
    return len(rig.history("begun")) == number


@pytest.mark.fault(4)
def test_a_stop_amid_ten_messages_ends_what_runs_and_hands_back_the_rest(rig: Rig) -> None:
    (rig.folder / "hold").touch()
    rig.send("short")  # a handler that ends at once lets the worker fetch a batch ahead
    for number in range(10):
        rig.send(str(number), does="hold")
    worker = rig.start("first", CONCURRENCY="2")
    until(lambda: _begun(rig, 3) and len(rig.messages) == len(rig.hidden) == 10)
    worker.send(SIGTERM)
    until(lambda: len(rig.hidden) == 2)  # while the two still run
    (rig.folder / "hold").unlink()
    assert worker.ended() == 0
    assert len(rig.history("effect")) == 3
    assert len(rig.messages) == 8
    assert rig.hidden == []


@pytest.mark.fault(5)
def test_more_signals_during_the_shutdown_change_nothing(held: Rig) -> None:
    worker = held.start("first", CONCURRENCY="2")
    until(lambda: _begun(held, 2))
    for number in (SIGTERM, SIGTERM, SIGINT, SIGTERM):
        worker.send(number)
    until(lambda: "stopping" in worker.logged())
    (held.folder / "hold").unlink()
    assert worker.ended() == 0
    assert worker.logged().count("stopped") == 1
    assert len(held.history("effect")) == 2
    assert held.hidden == []


@pytest.mark.fault(6)
def test_a_stop_waits_for_the_open_poll_and_hands_back_what_it_brings(rig: Rig) -> None:
    # A poll that is cut swallows what it would have brought, until its visibility ends:
    # https://github.com/celery/kombu/issues/1819. So the stop takes as long as the poll, 20 s at most, and no longer.
    worker = rig.start("first", RECEIVE_WAIT_SECONDS="2")
    until(lambda: "ReceiveMessage 1 sent" in worker.steps())
    worker.send(SIGTERM)
    until(lambda: "stopping" in worker.logged())
    message = rig.send()
    assert worker.ended() == 0
    assert message.approximate_receive_count == 1
    assert rig.hidden == []
    assert rig.history("begun") == []
    polls = [step for step in worker.steps() if step.startswith("ReceiveMessage")]
    assert polls == ["ReceiveMessage 1 sent", "ReceiveMessage 1 answered"]


@pytest.mark.fault(7)
def test_a_kill_amid_the_shutdown_costs_what_was_at_work_a_delivery_and_nothing_else(held: Rig) -> None:
    first = held.start("first", CONCURRENCY="2")
    until(lambda: _begun(held, 2))
    first.send(SIGTERM)
    until(lambda: "stopping" in first.logged())
    first.send(SIGSTOP)  # it gets no further before the stop timeout is over
    first.send(SIGKILL)
    assert first.ended() == -SIGKILL
    (held.folder / "hold").unlink()
    messages = held.messages
    held.start("second", CONCURRENCY="10")
    until(lambda: held.empty)
    # Both were at work when the process died, so they are tried apart: one of them goes back once more.
    assert sorted(message.approximate_receive_count for message in messages) in ([1] * 8 + [2] * 2, [1] * 8 + [2, 3])
    assert len(held.history("effect")) == 10

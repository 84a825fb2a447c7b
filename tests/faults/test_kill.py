"""kill -9 at every step between receive and delete."""

from collections.abc import Iterator
from signal import SIGKILL

import pytest

from tests.faults.rig import Server
from tests.faults.sweep import VISIBILITY, Case, Run, Sweep

CASES: list[Case] = [
    ("handled", "none"),
    ("handled", "dynamodb"),
    ("handled", "redis"),
    ("handled for long", "none"),
    ("handled for long", "dynamodb"),
    ("handled for long", "redis"),
    ("failed once", "none"),
    ("failed once", "dynamodb"),
    ("poison", "none"),
    ("given up", "dynamodb"),
    ("transacted", "dynamodb"),
]

#: Deliveries that the message's own failure costs, the first one included.
_OWN_DELIVERIES = {"failed once": 2}


@pytest.fixture(scope="module")
def sweep(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with Sweep(server, tmp_path_factory.mktemp("kill"), CASES, sends=SIGKILL, then=_recover) as sweep:
        yield sweep


def _recover(run: Run) -> None:
    run.wait_for_the_end()
    run.go_on()


def _certain(run: Run) -> bool:
    return run.certain


@pytest.mark.fault(1)
@pytest.mark.parametrize("case", CASES, ids=" with claims in ".join)
def test_a_killed_worker_loses_nothing_and_its_message_is_back_within_the_visibility_timeout(
    sweep: Sweep, case: Case
) -> None:
    for run in sweep.runs(case):
        assert run.exit_code == -SIGKILL, run
        assert run.back_at is None or run.back_at <= run.ended_at + VISIBILITY, run
        # The next delivery finds the claim free: it is the one that ends the message.
        assert run.deliveries <= _OWN_DELIVERIES.get(case[0], 1) + 1 or not run.certain, run
        if case[0] == "poison":
            assert {letter.body for letter in run.rig.dead_letters} == {"{"}, run
        else:
            assert run.rig.effects() >= 1, run
            assert run.rig.dead_letters == [], run


@pytest.mark.fault(2)
@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "poison"], ids=" with claims in ".join)
def test_what_was_on_record_when_the_worker_was_killed_does_not_run_again(sweep: Sweep, case: Case) -> None:
    recorded = [run for run in sweep.runs(case) if run.recorded]
    for run in recorded:
        assert run.rig.effects() == 1, run
        assert max(delivery for _, delivery in run.rig.history("begun")) <= run.delivered, run
    assert recorded or case[0] == "given up"


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "case", [case for case in CASES if case[0] not in ("poison", "transacted")], ids=" with claims in ".join
)
def test_the_effect_repeats_if_and_only_if_the_kill_falls_between_it_and_its_record(sweep: Sweep, case: Case) -> None:
    # This is the window that at-least-once delivery leaves; the next test closes it.
    for run in filter(_certain, sweep.runs(case)):
        in_the_window = run.effect_made and not run.recorded
        assert run.rig.effects() == (2 if in_the_window else 1), run


@pytest.mark.fault(3)
def test_an_effect_in_a_transaction_with_its_record_never_repeats(sweep: Sweep) -> None:
    for run in sweep.runs(("transacted", "dynamodb")):
        assert run.rig.effects() == 1, run


@pytest.mark.fault(2)
def test_poison_is_copied_twice_only_by_a_kill_between_its_copy_and_its_delete(sweep: Sweep) -> None:
    for run in filter(_certain, sweep.runs(("poison", "none"))):
        steps = run.first.steps()
        copied = "SendMessageBatch 1 answered" in steps
        deleted = "DeleteMessageBatch 1 answered" in steps
        assert len(run.rig.dead_letters) == (2 if copied and not deleted else 1), run

"""The heartbeat does not get through, and the message goes to somebody else."""

import time
from collections.abc import Callable

import pytest

from tests.faults.injector import Fault
from tests.faults.rig import Rig, Store, until

MakeRig = Callable[..., Rig]

HEARTBEATS_FAIL = (Fault("ChangeMessageVisibilityBatch", "error"),)

SHORT = {"VISIBILITY_TIMEOUT_SECONDS": "2"}


@pytest.mark.fault(16)
def test_a_lease_that_cannot_be_extended_is_lost_at_its_end_and_its_late_effect_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig(claims="dynamodb")
    (rig.folder / "hold-first").touch()
    message = rig.send(does="hold transact")
    first = rig.start("first", faults=HEARTBEATS_FAIL, **SHORT)
    until(lambda: "lease_lost" in first.logged())
    rig.start("second")
    until(lambda: rig.empty)
    (rig.folder / "hold-first").unlink()
    until(lambda: "fenced" in first.logged())
    assert rig.effects() == 1
    assert message.approximate_receive_count == 2
    assert first.exit_code is None


@pytest.mark.fault(26)
@pytest.mark.parametrize("claims", ["dynamodb", "redis"])
def test_a_late_worker_does_not_complete_the_key_of_the_one_that_runs_now(make_rig: MakeRig, claims: Store) -> None:
    rig = make_rig(claims=claims)
    for name in ("first", "second"):
        (rig.folder / f"hold-{name}").touch()
    rig.send(does="hold")
    first = rig.start("first", faults=HEARTBEATS_FAIL, **SHORT)
    until(lambda: "lease_lost" in first.logged())
    second = rig.start("second")
    until(lambda: len(rig.history("begun")) == 2)
    (rig.folder / "hold-first").unlink()
    until(lambda: "fenced" in first.logged())
    assert len(rig.hidden) == 1  # the second still has it
    (rig.folder / "hold-second").unlink()
    until(lambda: rig.empty)
    assert (first.logged() + second.logged()).count("handled") == 1


@pytest.mark.fault(16)
def test_without_claims_a_lost_lease_is_not_acknowledged(rig: Rig) -> None:
    (rig.folder / "hold-first").touch()
    message = rig.send(does="hold")
    first = rig.start("first", faults=HEARTBEATS_FAIL, **SHORT)
    until(lambda: "lease_lost" in first.logged())
    until(lambda: message.visible)
    (rig.folder / "hold-first").unlink()
    until(lambda: "fenced" in first.logged())
    until(lambda: rig.empty)  # by its second delivery
    assert [order_id for order_id, _ in rig.history("effect")] == ["1", "1"]


@pytest.mark.fault(16)
def test_a_heartbeat_that_fails_for_a_while_costs_nothing(rig: Rig) -> None:
    message = rig.send(does="beat")
    rig.start("first", faults=(Fault("ChangeMessageVisibilityBatch", "throttle", calls=(1, 2)),))
    until(lambda: rig.empty)
    assert message.approximate_receive_count == 1
    assert rig.effects() == 1


@pytest.mark.fault(16)
def test_a_heartbeat_under_way_does_not_overwrite_the_back_off(make_rig: MakeRig) -> None:
    # Nor does it lease the released key again. https://github.com/novuhq/novu/issues/12437
    stores: tuple[Store, ...] = ("none", "dynamodb", "redis")
    rigs = [make_rig(claims=store) for store in stores]  # side by side: each waits for its heartbeat
    messages = [rig.send(does="amid fail") for rig in rigs]
    for rig in rigs:
        rig.start("first", faults=(Fault("ChangeMessageVisibilityBatch", "late", calls=(1,)),))
    for rig, message, store in zip(rigs, messages, stores, strict=True):
        (worker,) = rig.processes
        until(lambda: "ChangeMessageVisibilityBatch 2 answered" in worker.steps())  # noqa: B023
        hidden_for = message.visible_at / 1000 - time.time()
        assert hidden_for <= 2, store  # its first back-off, and not the heartbeat's five seconds
    for rig, message, store in zip(rigs, messages, stores, strict=True):
        until(lambda: rig.empty)  # noqa: B023
        assert message.approximate_receive_count == 2, store

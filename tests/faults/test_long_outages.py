"""SQS is away for longer than a few quick tries take: while work ends, at burials, and while the worker stops."""

from collections.abc import Callable
from signal import SIGTERM

import pytest

from tests.faults.injector import Fault
from tests.faults.rig import Process, Rig, until

MakeRig = Callable[..., Rig]

#: Tries of one request; three used to be all, and took a second.
MANY = 5

#: Longer than the outage, with the heartbeat that goes on.
PATIENT = {"VISIBILITY_TIMEOUT_SECONDS": "30"}


def _tries(worker: Process, operation: str) -> int:
    return sum(line["event"] == "settle_failed" and line["settle"] == operation for line in worker.log())


@pytest.mark.fault(47)
@pytest.mark.parametrize("claims", ["none", "dynamodb"])
def test_finished_work_is_acknowledged_after_the_outage_and_not_done_again(make_rig: MakeRig, claims: str) -> None:
    rig = make_rig(claims=claims)
    outage = rig.folder / "outage"
    outage.touch()
    messages = [rig.send(str(number)) for number in range(5)]
    faults = (Fault("DeleteMessageBatch", "error", during=outage),)
    worker = rig.start("first", CONCURRENCY="5", faults=faults, **PATIENT)
    until(lambda: _tries(worker, "acknowledge") >= MANY)
    outage.unlink()
    until(lambda: rig.empty)
    assert [message.approximate_receive_count for message in messages] == [1] * 5
    assert [rig.effects(str(number)) for number in range(5)] == [1] * 5
    assert "settle_gave_up" not in worker.logged()


@pytest.mark.fault(47)
@pytest.mark.parametrize("operation", ["SendMessageBatch", "DeleteMessageBatch"])
def test_poison_is_buried_once_although_sqs_is_away(rig: Rig, operation: str) -> None:
    outage = rig.folder / "outage"
    outage.touch()
    for _ in range(5):
        rig.send(text="{")
    worker = rig.start("first", CONCURRENCY="5", faults=(Fault(operation, "error", during=outage),), **PATIENT)
    until(lambda: "settle_failed" in worker.logged() and worker.logged().count("settle_failed") >= MANY)
    outage.unlink()
    until(lambda: rig.empty)
    assert len(rig.dead_letters) == 5


@pytest.mark.fault(47)
def test_a_stop_amid_the_outage_hides_nothing_and_repeats_nothing(rig: Rig) -> None:
    outage = rig.folder / "outage"
    (rig.folder / "hold").touch()
    rig.send("short")
    for number in range(10):
        rig.send(str(number), does="hold")
    away = [Fault(name, "error", during=outage) for name in ("DeleteMessageBatch", "ChangeMessageVisibilityBatch")]
    worker = rig.start("first", CONCURRENCY="2", faults=tuple(away), **PATIENT)
    until(lambda: len(rig.history("begun")) == 3 and len(rig.messages) == len(rig.hidden) == 10)
    outage.touch()
    worker.send(SIGTERM)
    until(lambda: "stopping" in worker.logged())
    (rig.folder / "hold").unlink()
    until(lambda: _tries(worker, "release") >= MANY and _tries(worker, "acknowledge") >= MANY)
    outage.unlink()
    assert worker.ended() == 0
    assert len(rig.history("effect")) == 3
    assert len(rig.messages) == 8
    assert rig.hidden == []

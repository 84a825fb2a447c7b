"""Handlers that never return: they are given up at their deadline, and the process with them, but nobody else."""

import pytest

from tests.faults.harmful import Harmful
from tests.faults.rig import Rig, until

DEADLINE = {
    "MAX_PROCESSING_SECONDS": "1",
    "STOP_TIMEOUT_SECONDS": "1",
    "CONCURRENCY": "2",
    "VISIBILITY_TIMEOUT_SECONDS": "3",  # after which the message that hung is back
}


@pytest.mark.fault(41)
@pytest.mark.parametrize("does", ["hang", "loop"])
def test_a_handler_past_its_deadline_ends_its_process_with_1_and_its_message_comes_back(rig: Rig, does: str) -> None:
    rig.send("hung", does=does)
    with Harmful(rig, **DEADLINE) as first:
        until(lambda: first.begun)
        for number in range(5):
            rig.send(str(number))
        assert first.ended() == 1
        assert [line.get("event") for line in first.logged()].count("handler_overdue") == 1
    with Harmful(rig, **DEADLINE) as second:
        until(lambda: rig.empty)
        assert second.stop() == 0
    assert sorted(second.effects) == ["0", "1", "2", "3", "4", "hung"]
    assert [count for _, order_id, count in second.begun if order_id == "hung"] == [1, 2]
    assert [count for _, order_id, count in second.begun if order_id != "hung"] == [1] * 5
    assert rig.dead_letters == []


@pytest.mark.fault(41)
def test_a_parent_replaces_the_process_of_a_handler_that_hangs(rig: Rig) -> None:
    rig.send("hung", does="hang")
    with Harmful(rig, **DEADLINE, MAX_MESSAGES_PER_PROCESS="1000") as task:
        until(lambda: rig.empty)
        assert task.exit_code is None
        assert task.stop() == 0
        ended = [line["exit_code"] for line in task.logged() if line.get("event") == "process_ended"]
    assert ended == [1, 0]
    assert task.effects == ["hung"]
    assert [count for _, _, count in task.begun] == [1, 2]

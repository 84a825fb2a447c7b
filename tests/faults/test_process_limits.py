"""Disk and memory used up: the message comes back or is dead, the worker lives or is replaced, the others are done."""

import os
from collections import Counter

import pytest

from tests.faults.harmful import Harmful, redrive_after
from tests.faults.rig import Rig, until

MEGABYTE = 1 << 20


@pytest.mark.fault(39)
def test_a_full_disk_costs_a_delivery_and_the_message_is_done_when_there_is_room_again(rig: Rig) -> None:
    rig.send("big", does="fill the disk")
    rig.send("small")
    with Harmful(rig, CONCURRENCY="2", LIMIT_FILE_BYTES=str(MEGABYTE)) as worker:
        until(lambda: (rig.folder / "full").exists() and worker.effects == ["small"])
        assert worker.exit_code is None
        (rig.folder / "free").touch()
        until(lambda: rig.empty)
        assert worker.stop() == 0
    assert worker.effects == ["small", "big"]
    assert len({process for process, _, _ in worker.begun}) == 1
    assert rig.dead_letters == []


@pytest.mark.fault(39)
def test_a_disk_that_stays_full_ends_in_a_dead_letter_that_says_so(rig: Rig) -> None:
    rig.send("big", does="fill the disk")
    with Harmful(rig, LIMIT_FILE_BYTES=str(MEGABYTE), **redrive_after(rig, 2)) as worker:
        until(lambda: rig.dead_letters and rig.empty)
        assert worker.stop() == 0
    (letter,) = rig.dead_letters
    assert letter.message_attributes["dlq.reason"]["StringValue"] == "failed 2 times"
    assert "File too large" in letter.message_attributes["dlq.error"]["StringValue"]


@pytest.mark.fault(39)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's device that is always full is missing")  # noqa: PTH110
def test_neither_a_log_nor_a_health_file_on_a_full_disk_stops_the_work(rig: Rig) -> None:
    rig.send("1")
    full = os.open("/dev/full", os.O_WRONLY)
    with Harmful(rig, stdout=full, HEALTH_FILE="/proc/healthy") as worker:
        until(lambda: rig.empty)
        rig.send("2")
        until(lambda: rig.empty)
        assert worker.stop() == 0
    os.close(full)
    assert worker.effects == ["1", "2"]


@pytest.mark.fault(40)
def test_a_handler_that_eats_all_memory_fails_alone_and_its_message_is_dead_after_its_tries(rig: Rig) -> None:
    variables = redrive_after(rig, 2)
    rig.send("eater", does="eat memory")
    for number in range(5):
        rig.send(str(number))
    with Harmful(rig, CONCURRENCY="2", LIMIT_MEMORY_BYTES=str(2 << 30), **variables) as worker:
        until(lambda: rig.empty)
        assert worker.stop() == 0
    assert sorted(worker.effects) == ["0", "1", "2", "3", "4"]
    (letter,) = rig.dead_letters
    assert letter.message_attributes["dlq.error"]["StringValue"] == "MemoryError"


@pytest.mark.fault(40)
def test_a_message_whose_process_is_killed_each_time_is_dead_after_its_deliveries_and_the_others_are_done(
    rig: Rig,
) -> None:
    variables = redrive_after(rig, 2) | {"VISIBILITY_TIMEOUT_SECONDS": "2"}  # after which the killer is back
    rig.send("killer", does="die")
    with Harmful(rig, MAX_MESSAGES_PER_PROCESS="1000", **variables) as task:  # so that its parent replaces it
        until(lambda: Counter(order_id for _, order_id, _ in task.begun)["killer"] == 2)
        for number in range(5):
            rig.send(str(number))
        until(lambda: rig.empty)
        assert task.stop() == 0
        ended = [line["exit_code"] for line in task.logged() if line.get("event") == "process_ended"]
    assert ended == [-9, -9, 0]
    assert sorted(task.effects) == ["0", "1", "2", "3", "4"]
    assert [count for _, order_id, count in task.begun if order_id == "killer"] == [1, 2]
    assert len(rig.dead_letters) == 1

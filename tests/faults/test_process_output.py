"""Standard output that nobody reads: the work goes on, and the lines that were lost are counted."""

import json
import os
import threading

import pytest

from tests.faults.harmful import Harmful
from tests.faults.rig import Rig, until

ORDERS = 60


@pytest.mark.fault(45)
def test_a_worker_whose_output_nobody_reads_works_off_its_queue_and_ends(rig: Rig) -> None:
    for number in range(ORDERS):
        rig.send(str(number), does="log")  # 4 KB a line; the pipe holds 64
    reading, writing = os.pipe()
    with Harmful(rig, stdout=writing, CONCURRENCY="10") as worker:
        os.close(writing)
        until(lambda: rig.empty)
        assert worker.stop() == 0
    assert sorted(worker.effects, key=int) == [str(number) for number in range(ORDERS)]
    with os.fdopen(reading) as left:
        assert len(left.readlines()) < ORDERS


@pytest.mark.fault(45)
def test_a_worker_whose_output_is_read_again_says_how_many_lines_were_lost(rig: Rig) -> None:
    for number in range(ORDERS):
        rig.send(str(number), does="log")
    reading, writing = os.pipe()
    lines: list[str] = []
    with os.fdopen(reading) as output, Harmful(rig, stdout=writing, CONCURRENCY="10", LOG_BYTES="50000") as worker:
        os.close(writing)
        until(lambda: rig.empty)
        reader = threading.Thread(target=lambda: lines.extend(output))
        reader.start()
        rig.send("last")
        until(lambda: rig.empty)
        assert worker.stop() == 0
        reader.join()
    logged = [json.loads(line) for line in lines]
    whole = sum(line.get("event", "").startswith("x") for line in logged)
    lost = sum(line["lines"] for line in logged if line.get("event") == "log_lines_dropped")
    assert 0 < ORDERS - whole <= lost
    assert logged[-1]["event"] == "stopped"

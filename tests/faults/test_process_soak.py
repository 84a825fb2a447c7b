"""What grows: nothing of ours in thousands of messages, and of a leaking handler's no more than one process's share."""

import gc
import logging
import os
import threading
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from fargate_workers_runtime import Message, Retry, run_once
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.faults.harmful import Harmful
from tests.faults.rig import Rig, until


@pytest.mark.fault(42)
def test_a_process_that_has_handled_its_share_is_replaced_without_losing_a_message(rig: Rig) -> None:
    for number in range(25):
        rig.send(str(number), does="leak")
    with Harmful(rig, CONCURRENCY="2", MAX_MESSAGES_PER_PROCESS="10") as task:
        until(lambda: rig.empty)
        assert task.exit_code is None
        assert task.stop() == 0
        ended = [line["exit_code"] for line in task.logged() if line.get("event") == "process_ended"]
    assert sorted(task.effects, key=int) == [str(number) for number in range(25)]
    processes = [process for process, _, _ in task.begun]
    shares = [processes.count(process) for process in dict.fromkeys(processes)]
    # The handlers may begin a few more before the word has got round.
    assert all(10 <= share < 20 for share in shares[:-1])
    assert len(shares) >= 2
    assert set(ended) == {0}


class Growth:
    """What a process holds while its worker works."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = threading.active_count()
        self.files = len(list(Path("/proc/self/fd").iterdir()))
        self.bytes, _ = tracemalloc.get_traced_memory()


@pytest.mark.fault(42)
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc to count open files")  # noqa: PTH112
def test_threads_files_and_memory_stay_as_they_are_over_thousands_of_messages() -> None:
    """Good ones, failing ones and poison. Claims are off: they are kept for 28 days and would grow by design."""
    seen: list[Growth] = []
    clock = Clock()
    queue = MemoryQueue(max_receive_count=2, clock=clock)
    handled = 0

    def handle(message: Message) -> None:
        nonlocal handled
        handled += 1
        if message.body["n"] % 100 == 0 and message.receive_count == 1:
            raise Retry("once", after=timedelta(0))

    def feed() -> None:
        for round_number in range(6):
            for n in range(1_000):
                queue.send("{" if n % 50 == 1 else {"n": n})
            until(lambda: queue.empty)
            # The queue in memory forgets what was deleted when its visibility would have ended.
            clock.advance(settings.lease + 1)
            assert queue.hidden == 0
            queue.dead_letters.clear()
            queue.released.clear()
            if round_number:  # the first fills caches and starts threads
                seen.append(Growth())
        worker.request_stop("fed")

    settings = Settings(worker_name="w", queue_url="memory", receive_wait=1, health_file=None, concurrency=10)
    metrics = Metrics("w", write=lambda _line: None)
    worker = Worker(handle, gate=Gate(), broker=queue, settings=settings, metrics=metrics)
    feeder = threading.Thread(target=feed)
    tracemalloc.start()
    logging.disable()  # pytest keeps every record
    try:
        feeder.start()
        assert worker.run() == 0
        feeder.join()
    finally:
        logging.disable(logging.NOTSET)
        tracemalloc.stop()
    assert handled == 6 * (980 + 10)
    first, last = seen[0], seen[-1]
    assert last.threads <= first.threads
    assert last.files <= first.files
    assert last.bytes - first.bytes < 100_000


@pytest.mark.fault(42)
def test_a_worker_that_has_ended_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        run_once(lambda _message: None, queue=MemoryQueue([{"id": 1}]), claims=MemoryClaims())
    until(lambda: set(threading.enumerate()) <= before)

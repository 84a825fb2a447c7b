"""Polls: as many as pay, paced, paused while a store is away."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.pipeline.inbox import Inbox
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.receiving.receivers import Receivers
from fargate_workers_runtime.pipeline.receiving.standstill import Standstill
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryQueue

Eventually = Callable[[Callable[[], object]], None]

SETTINGS = Settings(worker_name="test", queue_url="memory", receive_wait=1, concurrency=100, health_file=None)


class Scripted(MemoryQueue):
    """Brings what the script says, poll by poll, and records how many polls were open at once."""

    def __init__(self, *counts: int) -> None:
        super().__init__()
        self.counts = list(counts)
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.answer = threading.Semaphore(0)

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        self.answer.acquire(timeout=5)
        with self.lock:
            self.open -= 1
            count = self.counts.pop(0) if self.counts else 0
        return [Delivery(id=f"{id(self)}-{n}", text="{}", token="r") for n in range(min(limit, count))]


class Rig:
    def __init__(self, queue: MemoryQueue, **changes: Any) -> None:
        self.inbox = Inbox(ordered=False, ask_for=lambda held: 10 if held + 10 <= 100 and not self.outage.lasts else 0)
        self.outage = Outage()
        self.slept = 0.0
        self.standstill = Standstill(clock=lambda: self.slept)
        self.taken: list[Delivery] = []
        self.receivers = Receivers(
            queue,
            self.inbox,
            settings=replace(SETTINGS, **changes),
            outage=self.outage,
            standstill=self.standstill,
            take=self.take,
            on_failure=lambda: None,
        )
        self.receivers.start()

    def take(self, received: Sequence[Delivery]) -> None:
        self.taken += received

    def stop(self) -> None:
        self.receivers.stop()
        self.inbox.close()
        self.receivers.join(lambda: 5)


def test_polls_join_one_by_one_while_batches_are_full_and_an_empty_one_sends_them_away(eventually: Eventually) -> None:
    queue = Scripted(*[10] * 20)
    rig = Rig(queue, receivers=4)
    eventually(lambda: queue.open == 1)
    queue.answer.release()
    eventually(lambda: queue.open == 2)
    for _ in range(2):
        queue.answer.release()
    eventually(lambda: queue.open == 4)
    queue.answer.release(17)
    eventually(lambda: len(rig.taken) == 200)

    def only_one_is_left() -> bool:
        if queue.open > 1:
            queue.answer.release()
        return queue.open == 1

    eventually(only_one_is_left)
    assert queue.most_open == 4
    rig.receivers.stop()
    queue.answer.release(10)
    rig.stop()


def test_economy_lets_messages_gather_after_a_poll_that_was_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    class Recorded(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout:
                waits.append(timeout)
            return super().wait(0)

    for pacing, paused in (("latency", []), ("economy", [1.0])):
        waits.clear()
        queue = Scripted(3, 10)
        with monkeypatch.context() as patch:
            patch.setattr("fargate_workers_runtime.pipeline.receiving.receivers.threading.Event", Recorded)
            rig = Rig(queue, pacing=pacing, receivers=1)
        queue.answer.release(2)
        while len(rig.taken) < 13:
            pass
        rig.receivers.stop()
        queue.answer.release(10)
        rig.stop()
        assert waits == paused


def test_nothing_is_received_and_nothing_beats_until_the_store_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.outage.full_jitter", lambda *_a, **_k: 0.001)
    looks = 0
    back = threading.Event()

    def check() -> None:
        nonlocal looks
        looks += 1
        if not back.is_set():
            raise ConnectionError("no answer")

    queue = Scripted(3)
    health_file = tmp_path / "healthy"
    rig = Rig(queue, health_file=health_file)
    eventually(lambda: queue.open == 1)
    rig.outage.begin(check)
    queue.answer.release()  # what was under way arrives
    eventually(lambda: looks >= 3)
    assert len(rig.taken) == 3
    assert queue.open == 0
    health_file.unlink(missing_ok=True)
    before = looks
    eventually(lambda: looks >= before + 3)
    assert not health_file.exists()
    back.set()
    eventually(lambda: queue.open == 1)
    rig.receivers.stop()
    queue.answer.release(10)
    rig.stop()


def test_a_poll_is_waited_for_and_not_cut(eventually: Eventually) -> None:
    queue = Scripted(5)
    rig = Rig(queue)
    eventually(lambda: queue.open == 1)
    rig.receivers.stop()
    queue.answer.release()
    rig.stop()
    assert len(rig.taken) == 5


def test_a_queue_that_does_not_answer_is_asked_by_one_poll_only(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.receiving.receivers.full_jitter", lambda *_a, **_k: 0.0)
    polling: set[str] = set()
    failing = threading.Event()

    class Down(Scripted):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            if failing.is_set():
                polling.add(threading.current_thread().name)
                raise ConnectionError("no answer")
            return super().receive(limit, wait=wait, lease=lease)

    queue = Down(*[10] * 5)
    rig = Rig(queue, receivers=3)
    queue.answer.release(5)
    eventually(lambda: queue.open == 3)
    failing.set()
    queue.answer.release(3)
    eventually(lambda: "receiver-0" in polling)
    polling.clear()
    eventually(lambda: polling)
    polling.clear()
    eventually(lambda: polling)
    assert polling == {"receiver-0"}
    rig.stop()


def test_messages_that_came_while_the_process_stood_still_say_so(eventually: Eventually) -> None:
    rigs: list[Rig] = []

    class Late(MemoryQueue):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            received = super().receive(limit, wait=wait, lease=lease)
            if received and rigs:
                rigs[0].slept += 60.5  # the answer is here, and nobody looks
            return received

    queue = Late()
    rig = Rig(queue)
    rigs.append(rig)
    queue.send({"id": 1})
    eventually(lambda: rig.taken)
    rig.stop()
    assert [received.stood_still for received in rig.taken] == [60]

"""Endings: in batches, repeated where they failed, flushed whatever happens."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.queue import DeadLetter, Failure
from fargate_workers_runtime.settling import Settler
from fargate_workers_runtime.testing import MemoryQueue

Eventually = Callable[[Callable[[], object]], None]


class Rig:
    def __init__(self, messages: int, linger: float) -> None:
        self.queue = MemoryQueue(range(messages))
        self.leases = Leases(self.queue, None, visibility_timeout=120, on_overdue=lambda _lease: None)
        self.settler = Settler(self.queue, self.leases, linger=linger)
        self.taken: list[Lease] = []
        while received := self.queue.receive(10, wait=0, visibility=120):
            self.taken += self.leases.hold(received)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def build(messages: int, *, linger: float = 60) -> Rig:
        rigs.append(Rig(messages, linger))
        rigs[-1].settler.start()
        return rigs[-1]

    yield build
    for each in rigs:
        each.settler.close()


def test_ten_deletes_are_one_request(rig: Callable[..., Rig], eventually: Eventually) -> None:
    ten = rig(10)
    for lease in ten.taken:
        ten.settler.done(lease)
    eventually(lambda: ten.queue.empty)
    assert ten.queue.requests["delete"] == 1
    eventually(lambda: ten.leases.held() == [])


def test_fewer_than_ten_wait_no_longer_than_the_linger(rig: Callable[..., Rig], eventually: Eventually) -> None:
    three = rig(3, linger=0.02)
    for lease in three.taken:
        three.settler.done(lease)
    eventually(lambda: three.queue.empty)
    assert three.queue.requests["delete"] == 1


def test_closing_sends_what_still_waits(rig: Callable[..., Rig]) -> None:
    mixed = rig(3)
    done, back, poison = mixed.taken
    mixed.settler.done(done)
    mixed.settler.back(back, 0)
    mixed.settler.bury(poison, reason="not JSON", detail="")
    mixed.settler.close()
    assert [letter.reason for letter in mixed.queue.dead_letters] == ["not JSON"]
    assert [each.text for each in mixed.queue.receive(10, wait=0, visibility=1)] == [back.received.text]


def test_a_lease_is_kept_until_its_message_is_deleted(rig: Callable[..., Rig]) -> None:
    one = rig(1)
    one.settler.done(one.taken[0])
    assert one.leases.held() == one.taken


def test_a_back_off_ends_the_lease_first_so_that_no_heartbeat_overwrites_it(rig: Callable[..., Rig]) -> None:
    one = rig(1)
    one.settler.back(one.taken[0], 30)
    assert one.leases.held() == []


def test_a_dead_letter_that_was_refused_leaves_the_message_in_its_queue(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(letters: Sequence[DeadLetter]) -> list[Failure]:
        return [Failure(index=0, permanent=True, code="InvalidMessageContents")]

    one = rig(1)
    monkeypatch.setattr(one.queue, "bury", refuse)
    one.settler.bury(one.taken[0], reason="x", detail="")
    one.settler.close()
    assert not one.queue.empty
    assert one.queue.requests["delete"] == 0


def test_a_request_that_fails_is_sent_again(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    one = rig(1)
    delete = one.queue.delete
    attempts: list[int] = []

    def unreliable(receipts: Sequence[str]) -> list[Failure]:
        attempts.append(len(receipts))
        if len(attempts) == 1:
            raise ConnectionError("no answer")
        if len(attempts) == 2:
            return [Failure(index=0, permanent=False, code="InternalError")]
        return delete(receipts)

    monkeypatch.setattr(one.queue, "delete", unreliable)
    one.settler.done(one.taken[0])
    one.settler.close()
    assert one.queue.empty
    assert attempts == [1, 1, 1]


def test_a_request_that_goes_on_failing_is_given_up_and_the_message_left_to_its_visibility(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(receipts: Sequence[str]) -> list[Failure]:
        raise ConnectionError("no answer")

    one = rig(1)
    monkeypatch.setattr(one.queue, "delete", down)
    one.settler.done(one.taken[0])
    one.settler.close()
    assert not one.queue.empty
    assert one.leases.held() == []


def test_a_flood_of_poison_waits_for_its_requests_instead_of_filling_the_memory(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    gate = threading.Event()
    flood = rig(150, linger=0)
    bury = flood.queue.bury

    def slow(letters: Sequence[DeadLetter]) -> list[Failure]:
        gate.wait(5)
        return bury(letters)

    monkeypatch.setattr(flood.queue, "bury", slow)
    put: list[Lease] = []

    def pour() -> None:
        for lease in flood.taken:
            flood.settler.bury(lease, reason="x", detail="")
            put.append(lease)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    eventually(lambda: len(put) >= 100)
    thread.join(0.05)
    assert len(put) <= 141  # one hundred waiting, forty on their way, one being put
    gate.set()
    eventually(lambda: flood.queue.empty)
    assert len(flood.queue.dead_letters) == 150

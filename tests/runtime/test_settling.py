"""Endings: in batches, repeated where they failed, flushed whatever happens."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure
from fargate_workers_runtime.pipeline.leases import Lease, Leases
from fargate_workers_runtime.pipeline.settling.outcome import Letter
from fargate_workers_runtime.pipeline.settling.settler import Settler
from fargate_workers_runtime.testing import MemoryQueue

Eventually = Callable[[Callable[[], object]], None]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """Messages received, and what ends them, on a clock that stands still but for what tests do to it."""

    def __init__(self, messages: int, linger: float) -> None:
        self.clock = Clock()
        self.queue = MemoryQueue(range(messages), clock=self.clock)
        self.leases = Leases(self.queue, None, seconds=120, on_overdue=lambda _lease: None, clock=self.clock)
        self.given_up = 0
        self.settler = Settler(self.queue, self.leases, linger=linger, on_given_up=self._count, clock=self.clock)
        self.taken: list[Lease] = []
        while received := self.queue.receive(10, wait=0, lease=120):
            self.taken += self.leases.hold(received)

    def _count(self) -> None:
        self.given_up += 1


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def build(messages: int, *, linger: float = 60) -> Rig:
        rigs.append(Rig(messages, linger))
        rigs[-1].settler.start()
        return rigs[-1]

    yield build
    for each in rigs:
        each.settler.close(0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between two tries."""
    monkeypatch.setattr("fargate_workers_runtime.pipeline.settling.settler.equal_jitter", lambda *_a, **_k: 0.0)


def test_ten_deletes_are_one_request(rig: Callable[..., Rig], eventually: Eventually) -> None:
    ten = rig(10)
    for lease in ten.taken:
        ten.settler.acknowledge(lease)
    eventually(lambda: ten.queue.empty)
    assert ten.queue.requests["acknowledge"] == 1
    eventually(lambda: ten.leases.held() == [])


def test_fewer_than_ten_wait_no_longer_than_the_linger(rig: Callable[..., Rig], eventually: Eventually) -> None:
    three = rig(3, linger=0.02)
    for lease in three.taken:
        three.settler.acknowledge(lease)
    eventually(lambda: three.queue.empty)
    assert three.queue.requests["acknowledge"] == 1


def test_closing_sends_what_still_waits(rig: Callable[..., Rig]) -> None:
    mixed = rig(3)
    done, back, poison = mixed.taken
    mixed.settler.acknowledge(done)
    mixed.settler.release(back, 0)
    mixed.settler.dead_letter(poison, Letter(reason="not JSON"))
    mixed.settler.close()
    assert [letter.reason for letter in mixed.queue.dead_letters] == ["not JSON"]
    assert [each.text for each in mixed.queue.receive(10, wait=0, lease=1)] == [back.delivery.text]


def test_a_lease_is_kept_until_its_message_is_deleted(rig: Callable[..., Rig]) -> None:
    one = rig(1)
    one.settler.acknowledge(one.taken[0])
    assert one.leases.held() == one.taken


def test_a_back_off_ends_the_lease_first_so_that_no_heartbeat_overwrites_it(rig: Callable[..., Rig]) -> None:
    one = rig(1)
    one.settler.release(one.taken[0], 30)
    assert one.leases.held() == []


def test_a_dead_letter_that_was_refused_leaves_the_message_in_its_queue(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(letters: Sequence[DeadLetter]) -> list[Failure]:
        return [Failure(index=0, permanent=True, code="InvalidMessageContents")]

    one = rig(1)
    monkeypatch.setattr(one.queue, "dead_letter", refuse)
    one.settler.dead_letter(one.taken[0], Letter(reason="x"))
    one.settler.close()
    assert not one.queue.empty
    assert one.queue.requests["acknowledge"] == 0


def test_a_request_that_fails_is_sent_again(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    one = rig(1)
    acknowledge = one.queue.acknowledge
    attempts: list[int] = []

    def unreliable(deliveries: Sequence[Delivery]) -> list[Failure]:
        attempts.append(len(deliveries))
        if len(attempts) == 1:
            raise ConnectionError("no answer")
        if len(attempts) == 2:
            return [Failure(index=0, permanent=False, code="InternalError")]
        return acknowledge(deliveries)

    monkeypatch.setattr(one.queue, "acknowledge", unreliable)
    one.settler.acknowledge(one.taken[0])
    one.settler.close()
    assert one.queue.empty
    assert attempts == [1, 1, 1]


def test_what_the_broker_has_not_taken_when_time_is_up_is_given_up_and_left_to_the_end_of_its_lease(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(deliveries: Sequence[Delivery]) -> list[Failure]:
        raise ConnectionError("no answer")

    one = rig(1)
    monkeypatch.setattr(one.queue, "acknowledge", down)
    one.settler.acknowledge(one.taken[0])
    one.settler.close(0)
    assert not one.queue.empty
    assert one.leases.held() == []
    assert one.given_up == 1


class Outage:
    """A call that fails until so many seconds of the rig's clock have gone; each try takes a second."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch, method: str, seconds: float) -> None:
        self._clock = rig.clock
        self._until = rig.clock.now + seconds
        self._call = getattr(rig.queue, method)
        self.tries = 0
        monkeypatch.setattr(rig.queue, method, self)

    def __call__(self, entries: Sequence[object]) -> list[Failure]:
        self.tries += 1
        self._clock.now += 1
        if self._clock.now < self._until:
            raise ConnectionError("no answer")
        return self._call(entries)


def test_an_acknowledgement_outlasts_an_outage_of_thirty_seconds(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    one = rig(1, linger=0)
    outage = Outage(one, monkeypatch, "acknowledge", 30)
    one.settler.acknowledge(one.taken[0])
    one.settler.close(60)
    assert outage.tries == 30
    assert (one.queue.empty, one.given_up) == (True, 0)


def test_a_message_whose_letter_has_arrived_is_deleted_after_the_outage_and_not_buried_again(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    five = rig(5, linger=0)
    Outage(five, monkeypatch, "acknowledge", 30)
    for lease in five.taken:
        five.settler.dead_letter(lease, Letter(reason="bad"))
    five.settler.close(60)
    assert len(five.queue.dead_letters) == 5
    assert (five.queue.empty, five.given_up) == (True, 0)


def test_a_message_released_in_an_outage_comes_back_when_it_should_have(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    two = rig(2, linger=0)
    Outage(two, monkeypatch, "release", 30)
    now, later = two.taken
    began = two.clock.now
    two.settler.release(now, 0)
    two.settler.release(later, 60)
    two.settler.close(60)
    shown = {received.id: two.clock.now + seconds for received, seconds in two.queue.released}
    assert shown[now.delivery.id] == two.clock.now
    assert shown[later.delivery.id] == pytest.approx(began + 60, abs=1)
    assert two.given_up == 0


@pytest.mark.parametrize("method", ["acknowledge", "release", "dead_letter"])
def test_an_ending_is_tried_no_longer_than_its_lease_lives(
    method: str, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    one = rig(1, linger=0)
    outage = Outage(one, monkeypatch, method, 10_000)
    (lease,) = one.taken
    if method == "acknowledge":
        one.settler.acknowledge(lease)
    elif method == "dead_letter":
        one.settler.dead_letter(lease, Letter(reason="bad"))
    else:
        one.settler.release(lease, 0)
    one.settler.close(100_000)
    assert 118 <= outage.tries <= 120
    assert one.given_up == 1


def test_a_late_release_does_not_hide_the_message_from_whoever_has_it_now(rig: Callable[..., Rig]) -> None:
    one = rig(1, linger=0)
    one.clock.now += 121  # the process stood still
    one.settler.release(one.taken[0], 30)
    one.settler.close()
    assert one.queue.requests["release"] == 0


def test_a_finished_message_that_comes_back_after_all_is_known(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    one = rig(1, linger=0)
    refused = [[Failure(index=0, permanent=True, code="ReceiptHandleIsInvalid")]]
    acknowledge = one.queue.acknowledge
    monkeypatch.setattr(one.queue, "acknowledge", lambda each: refused.pop() if refused else acknowledge(each))
    one.settler.acknowledge(one.taken[0])
    eventually(lambda: one.given_up == 1)
    one.clock.now += 121
    (again,) = one.leases.hold(one.queue.receive(1, wait=0, lease=120))
    assert one.settler.owes_acknowledgement(again)
    one.settler.acknowledge(again)
    eventually(lambda: one.queue.empty)
    eventually(lambda: not one.settler.owes_acknowledgement(again))


def test_one_bad_letter_does_not_keep_back_the_others(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    ten = rig(10)
    send = ten.queue.dead_letter

    def refuse_all_because_of_one(letters: Sequence[DeadLetter]) -> list[Failure]:
        if any(letter.reason == "bad" for letter in letters):
            ten.clock.now += 1
            raise TypeError("object of type 'int' has no len()")
        return send(letters)

    monkeypatch.setattr(ten.queue, "dead_letter", refuse_all_because_of_one)
    for number, lease in enumerate(ten.taken):
        ten.settler.dead_letter(lease, Letter(reason="bad" if number == 5 else "good"))
    ten.settler.close(10)
    assert len(ten.queue.dead_letters) == 9
    assert ten.given_up == 1


def test_whoever_waits_for_a_letter_hears_whether_it_arrived(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = rig(2)
    heard: list[bool] = []
    send = two.queue.dead_letter
    monkeypatch.setattr(
        two.queue, "dead_letter", lambda letters: [*send(letters[:1]), Failure(index=1, permanent=True, code="Refused")]
    )
    for lease in two.taken:
        (letter := Letter(reason="bad")).then(heard.append)
        two.settler.dead_letter(lease, letter)
    two.settler.close()
    assert heard == [True, False]


def test_threads_are_woken_for_the_first_entry_and_for_full_batches(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = rig(100)
    woken: list[None] = []
    monkeypatch.setattr(many.settler.due, "notify", lambda: woken.append(None))  # nobody takes any
    for lease in many.taken:
        many.settler.acknowledge(lease)
    monkeypatch.undo()
    assert len(woken) == 11


def test_a_flood_of_poison_waits_for_its_requests_instead_of_filling_the_memory(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    gate = threading.Event()
    flood = rig(150, linger=0)
    send = flood.queue.dead_letter

    def slow(letters: Sequence[DeadLetter]) -> list[Failure]:
        gate.wait(5)
        return send(letters)

    monkeypatch.setattr(flood.queue, "dead_letter", slow)
    put: list[Lease] = []

    def pour() -> None:
        for lease in flood.taken:
            flood.settler.dead_letter(lease, Letter(reason="x"))
            put.append(lease)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    eventually(lambda: len(put) >= 100)
    thread.join(0.05)
    assert len(put) <= 141  # one hundred waiting, forty on their way, one being put
    gate.set()
    eventually(lambda: flood.queue.empty)
    assert len(flood.queue.dead_letters) == 150


def test_a_letter_that_is_given_up_may_end_more_messages_than_have_room(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.settling.settler._THREADS", 1)
    crowd = rig(160, linger=0)
    poison, *rest = crowd.taken
    monkeypatch.setattr(crowd.queue, "dead_letter", lambda _letters: [Failure(index=0, permanent=True, code="Refused")])
    released: list[None] = []

    def release_the_rest(_arrived: bool) -> None:
        for lease in rest:
            crowd.settler.release(lease, 0)
        released.append(None)

    (letter := Letter(reason="bad")).then(release_the_rest)
    crowd.settler.dead_letter(poison, letter)
    eventually(lambda: released)
    eventually(lambda: crowd.queue.hidden == 1)


def test_a_letter_of_a_message_that_is_back_by_itself_is_not_written(
    rig: Callable[..., Rig], eventually: Eventually
) -> None:
    arrived: list[bool] = []
    one = rig(1, linger=0.2)
    one.clock.now += 121  # the process stood still
    (letter := Letter(reason="bad")).then(arrived.append)
    one.settler.dead_letter(one.taken[0], letter)
    eventually(lambda: arrived == [False])
    assert list(one.queue.dead_letters) == []
    assert one.given_up == 1

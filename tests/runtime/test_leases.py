"""The heartbeat: what it extends, when, and what it gives up."""

from collections.abc import Sequence

import pytest

from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.queue import Failure, Received
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """Leases of 120 s on a memory queue and claims, all on one clock."""

    def __init__(self, messages: int = 1) -> None:
        self.clock = Clock()
        self.queue = MemoryQueue(range(messages), clock=self.clock)
        self.claims = MemoryClaims(clock=self.clock)
        self.overdue: list[Lease] = []
        self.leases = Leases(
            self.queue, self.claims, visibility_timeout=120, on_overdue=self.overdue.append, clock=self.clock
        )

    def take(self) -> list[Lease]:
        return self.leases.hold(self.queue.receive(10, wait=0, visibility=120))

    def beat_at(self, seconds: float) -> None:
        self.clock.now = 1000.0 + seconds
        self.leases.beat()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_short_work_costs_no_heartbeat(rig: Rig) -> None:
    rig.take()
    rig.beat_at(79)
    assert rig.queue.requests["set_visibility"] == 0


def test_long_work_stays_hidden_for_as_long_as_it_is_held(rig: Rig) -> None:
    (lease,) = rig.take()
    for seconds in range(10, 1200, 10):
        rig.beat_at(seconds)
        assert rig.queue.hidden == 1
    assert not lease.lost
    assert rig.queue.requests["set_visibility"] <= 15  # one in 80 s


def test_a_heartbeat_serves_ten_messages_with_one_request() -> None:
    rig = Rig(messages=25)
    for _ in range(3):
        rig.take()
    rig.beat_at(100)
    assert rig.queue.requests["set_visibility"] == 3


def test_a_heartbeat_renews_the_claim_with_the_message(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner=lease.owner, seconds=120)
    lease.claim_key = "k"
    rig.beat_at(100)
    rig.clock.now += 100
    assert rig.claims.claim("k", owner="other", seconds=120).state == "held"


def test_a_lease_whose_claim_was_taken_over_is_lost(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner="other", seconds=120)
    lease.claim_key = "k"
    rig.beat_at(100)
    assert lease.lost
    assert rig.leases.held() == []


def test_a_message_that_is_no_longer_ours_is_lost(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.queue.delete([lease.received.receipt])
    rig.beat_at(100)
    assert lease.lost


def test_a_heartbeat_that_fails_is_tried_again_until_the_lease_has_run_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(changes: Sequence[tuple[str, int]]) -> list[Failure]:
        return [Failure(index=0, permanent=False, code="InternalError")]

    (lease,) = rig.take()
    monkeypatch.setattr(rig.queue, "set_visibility", unavailable)
    rig.beat_at(100)
    assert not lease.lost
    rig.beat_at(119.5)
    assert lease.lost


def test_a_handler_past_its_deadline_is_reported_once_and_extended_no_more(rig: Rig) -> None:
    (lease,) = rig.take()
    lease.deadline = 1000.0 + 60
    rig.beat_at(60)
    rig.beat_at(110)
    assert rig.overdue == [lease]
    assert lease.lost
    assert rig.queue.requests["set_visibility"] == 0


def test_twelve_hours_after_its_receive_a_message_is_given_up(rig: Rig) -> None:
    (lease,) = rig.take()
    for seconds in range(30, 12 * 3600 - 240, 30):
        rig.beat_at(seconds)
    assert not lease.lost
    rig.beat_at(12 * 3600 - 240)
    assert rig.overdue == [lease]


def test_a_message_delivered_twice_is_held_once_with_its_newest_receipt(rig: Rig) -> None:
    (lease,) = rig.take()
    again = Received(id=lease.received.id, text="0", receipt="newer", receive_count=2)
    assert rig.leases.hold([again]) == []
    assert lease.received.receipt == "newer"


def test_a_forgotten_lease_is_extended_no_more(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.forget(lease)
    rig.beat_at(100)
    assert rig.queue.requests["set_visibility"] == 0


def test_a_message_can_be_hidden_until_twelve_hours_after_its_receive_and_no_longer(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.clock.now += 3600
    wait = rig.leases.longest_wait(lease)
    assert 10 * 3600 < wait < 11 * 3600
    rig.clock.now += 12 * 3600
    assert rig.leases.longest_wait(lease) == 0


def test_a_heartbeat_under_way_does_not_renew_a_claim_that_is_released_meanwhile(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner=lease.owner, seconds=120)
    lease.claim_key = "k"
    extend = rig.queue.set_visibility

    def then_the_handler_fails(changes: Sequence[tuple[str, int]]) -> list[Failure]:
        with lease.claiming:
            lease.claim_key = None
            rig.claims.release("k", owner=lease.owner)
        return extend(changes)

    monkeypatch.setattr(rig.queue, "set_visibility", then_the_handler_fails)
    rig.beat_at(100)
    assert rig.claims.claim("k", owner="next", seconds=120).state == "granted"


def test_a_lease_that_ran_out_while_the_process_stood_still_is_lost_and_not_taken_back(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.beat_at(119.5)
    assert lease.lost
    assert rig.queue.requests["set_visibility"] == 0

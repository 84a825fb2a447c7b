"""The heartbeat: what it extends, when, and what it gives up."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from fargate_workers_runtime.brokers.broker import Delivery, Failure
from fargate_workers_runtime.pipeline.leases import Lease, Leases
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue
from tests.patience import PATIENCE
from tests.runtime.thread_limit import ThreadLimit


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
        self.leases = Leases(self.queue, self.claims, seconds=120, on_overdue=self.overdue.append, clock=self.clock)

    def take(self) -> list[Lease]:
        return self.leases.hold(self.queue.receive(10, wait=0, lease=120))

    def beat_at(self, seconds: float) -> None:
        self.clock.now = 1000.0 + seconds
        self.leases.beat()
        self.leases.renew_claims()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_short_work_costs_no_heartbeat(rig: Rig) -> None:
    rig.take()
    rig.beat_at(79)
    assert rig.queue.requests["extend"] == 0


def test_long_work_stays_hidden_for_as_long_as_it_is_held(rig: Rig) -> None:
    (lease,) = rig.take()
    for seconds in range(10, 1200, 10):
        rig.beat_at(seconds)
        assert rig.queue.hidden == 1
    assert not lease.lost
    assert rig.queue.requests["extend"] <= 15  # one in 80 s


def test_a_heartbeat_serves_ten_messages_with_one_request() -> None:
    rig = Rig(messages=25)
    for _ in range(3):
        rig.take()
    rig.beat_at(100)
    assert rig.queue.requests["extend"] == 3


class Ending(Lease):
    """A lease whose handler ends as soon as anyone looks when it must have."""

    __slots__ = ()
    looks: ClassVar[list[float | None]] = []

    @property
    def deadline(self) -> float | None:
        return self.looks.pop(0) if self.looks else None


def test_a_heartbeat_outlives_a_handler_that_ends_while_it_looks(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.handler_begins(lease, seconds=900)
    lease.__class__ = Ending
    Ending.looks[:] = [1900.0]
    rig.beat_at(100)
    assert rig.queue.requests["extend"] == 1


def test_a_heartbeat_that_finds_no_threads_extends_every_lease_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(messages=25)
    leases = [lease for _ in range(3) for lease in rig.take()]
    limit = ThreadLimit(monkeypatch, "Thread-")
    rig.beat_at(100)
    assert limit.refused > 0
    assert len(leases) == 25
    assert min(lease.leased_until for lease in leases) > 1000 + 120


def test_a_heartbeat_renews_the_claim_with_the_message(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner=lease.owner, seconds=120)
    lease.claim_key = "k"
    rig.beat_at(100)
    rig.clock.now += 100
    assert rig.claims.claim("k", owner="other", seconds=120).state == "held"


def test_a_lease_is_kept_whose_effect_is_recorded_although_its_answer_was_lost(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner=lease.owner, seconds=120)
    assert rig.claims.complete("k", owner=lease.owner)
    lease.claim_key = "k"
    rig.beat_at(100)
    assert not lease.lost
    assert rig.leases.held() == [lease]
    assert rig.claims.claim("k", owner="other", seconds=120).state == "completed"


def test_a_lease_whose_claim_was_taken_over_is_lost(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.claims.claim("k", owner="other", seconds=120)
    lease.claim_key = "k"
    rig.beat_at(100)
    assert lease.lost
    assert rig.leases.held() == []


def test_a_message_that_is_no_longer_ours_is_lost(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.queue.acknowledge([lease.delivery])
    rig.beat_at(100)
    assert lease.lost


def test_a_heartbeat_that_fails_is_tried_again_until_the_lease_has_run_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        return [Failure(index=0, permanent=False, code="InternalError")]

    (lease,) = rig.take()
    monkeypatch.setattr(rig.queue, "extend", unavailable)
    rig.beat_at(100)
    assert not lease.lost
    rig.beat_at(119.5)
    assert lease.lost


def test_a_handler_past_its_deadline_is_reported_once_and_extended_no_more(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.handler_begins(lease, seconds=60)
    rig.beat_at(60)
    rig.beat_at(110)
    assert rig.overdue == [lease]
    assert lease.lost
    assert rig.queue.requests["extend"] == 0


@pytest.mark.parametrize("lost", ["before it begins", "while it runs"])
def test_a_handler_whose_lease_is_lost_is_overdue_all_the_same(rig: Rig, lost: str) -> None:
    (lease,) = rig.take()
    if lost == "while it runs":
        rig.leases.handler_begins(lease, seconds=600)
    rig.queue.acknowledge([lease.delivery])
    rig.beat_at(100)
    assert lease.lost
    if lost == "before it begins":  # the loss fell between the last look at the lease and the begin
        rig.leases.handler_begins(lease, seconds=500)
    rig.beat_at(599)
    assert rig.overdue == []
    rig.beat_at(600)
    rig.beat_at(700)
    assert rig.overdue == [lease]


def test_a_handler_that_has_ended_is_never_overdue(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.handler_begins(lease, seconds=60)
    rig.leases.handler_ends(lease)
    rig.beat_at(100)
    assert rig.overdue == []
    assert rig.leases.at_work() == []


def test_twelve_hours_after_its_receive_a_handler_is_given_up(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.handler_begins(lease, seconds=13 * 3600)
    for seconds in range(30, 12 * 3600 - 240, 30):
        rig.beat_at(seconds)
    assert not lease.lost
    rig.beat_at(12 * 3600 - 240)
    assert rig.overdue == [lease]


def test_a_message_delivered_twice_is_held_once_with_its_newest_token(rig: Rig) -> None:
    (lease,) = rig.take()
    again = Delivery(id=lease.delivery.id, text="0", token="newer", receive_count=2)
    assert rig.leases.hold([again]) == []
    assert lease.delivery.token == "newer"


def test_a_forgotten_lease_is_extended_no_more(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.leases.end(lease)
    rig.beat_at(100)
    assert rig.queue.requests["extend"] == 0


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
    extend = rig.queue.extend

    def then_the_handler_fails(deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        with lease.claiming:
            lease.claim_key = None
            rig.claims.release("k", owner=lease.owner)
        return extend(deliveries, seconds)

    monkeypatch.setattr(rig.queue, "extend", then_the_handler_fails)
    rig.beat_at(100)
    assert rig.claims.claim("k", owner="next", seconds=120).state == "granted"


def test_a_lease_that_ran_out_while_the_process_stood_still_is_lost_and_not_taken_back(rig: Rig) -> None:
    (lease,) = rig.take()
    rig.beat_at(119.5)
    assert lease.lost
    assert rig.queue.requests["extend"] == 0


def claimed(rig: Rig) -> Lease:
    (lease,) = rig.take()
    rig.claims.claim("k", owner=lease.owner, seconds=119)
    lease.claim_key, lease.claimed_until = "k", lease.leased_until
    return lease


def test_a_renewal_that_failed_is_tried_again_at_the_next_beat(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = claimed(rig)
    renew, faults = rig.claims.renew, [TimeoutError("no answer")]

    def once(*arguments: object, **options: object) -> bool:
        if faults:
            raise faults.pop()
        return renew(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.claims, "renew", once)
    rig.beat_at(90)
    assert lease.claimed_until < lease.leased_until
    rig.beat_at(100)
    assert lease.claimed_until == lease.leased_until
    rig.clock.now = 1000.0 + 125
    assert rig.claims.claim("k", owner="other", seconds=120).state == "held"


def test_a_claim_is_renewed_once_for_each_time_that_its_message_is_hidden_longer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals: list[float] = []
    renew = rig.claims.renew

    def counted(key: str, *, owner: str, seconds: float) -> bool:
        renewals.append(seconds)
        return renew(key, owner=owner, seconds=seconds)

    monkeypatch.setattr(rig.claims, "renew", counted)
    claimed(rig)
    for seconds in range(10, 1200, 10):
        rig.beat_at(seconds)
    assert len(renewals) == rig.queue.requests["extend"]


def test_a_lease_is_alive_by_the_clock_and_not_by_what_was_noticed_last(rig: Rig) -> None:
    (lease,) = rig.take()
    assert rig.leases.is_alive(lease)
    rig.clock.now += 119.5  # the process stood still, and no heartbeat has looked
    assert not rig.leases.is_alive(lease)


def test_nothing_begins_under_a_claim_that_has_lapsed(rig: Rig) -> None:
    lease = claimed(rig)
    lease.claimed_until = rig.clock.now + 10
    assert rig.leases.is_alive(lease)
    rig.clock.now += 10
    assert not rig.leases.is_alive(lease)


def test_a_heartbeat_without_an_answer_costs_its_own_messages_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(messages=100)
    leases = [lease for _ in range(10) for lease in rig.take()]
    extend, answer, others = rig.queue.extend, threading.Event(), threading.Semaphore(0)
    stuck = leases[0].delivery

    def one_hangs(deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        if stuck in deliveries:
            assert answer.wait(PATIENCE)
            raise TimeoutError("no answer")
        failures = extend(deliveries, seconds)
        others.release()
        return failures

    monkeypatch.setattr(rig.queue, "extend", one_hangs)
    rig.clock.now += 100
    beat = threading.Thread(target=rig.leases.beat, daemon=True)
    beat.start()
    for _ in range(9):
        assert others.acquire(timeout=PATIENCE)
    answer.set()
    beat.join(PATIENCE)
    assert [lease.leased_until > 1000 + 200 for lease in leases] == [False] * 10 + [True] * 90


def test_claims_are_renewed_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(messages=10)
    for number, lease in enumerate(rig.take()):
        rig.claims.claim(str(number), owner=lease.owner, seconds=10)
        lease.claim_key = str(number)
    together = threading.Barrier(10, timeout=PATIENCE)
    renew = rig.claims.renew

    def slow(*arguments: object, **options: object) -> bool:
        together.wait()  # each needs the others to be under way
        return renew(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.claims, "renew", slow)
    rig.leases.renew_claims()
    assert all(lease.claimed_until == lease.leased_until for lease in rig.leases.held())


def test_whoever_ends_a_lease_to_release_its_message_waits_for_the_heartbeat_that_extends_this_very_message(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lease,) = rig.take()
    extending, answer = threading.Event(), threading.Event()
    extend = rig.queue.extend

    def slow(deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        extending.set()
        assert answer.wait(PATIENCE)
        return extend(deliveries, seconds)

    monkeypatch.setattr(rig.queue, "extend", slow)
    rig.clock.now += 100
    beat = threading.Thread(target=rig.leases.beat, daemon=True)
    beat.start()
    assert extending.wait(PATIENCE)
    gone = threading.Thread(target=rig.leases.end_and_wait, args=(lease,), daemon=True)
    gone.start()
    gone.join(0.05)
    assert gone.is_alive()
    answer.set()
    gone.join(PATIENCE)
    assert not gone.is_alive()
    beat.join(PATIENCE)


def test_what_was_not_begun_within_twelve_hours_is_no_handlers_fault(rig: Rig) -> None:
    (lease,) = rig.take()
    for seconds in range(30, 12 * 3600 - 200, 30):
        rig.beat_at(seconds)
    assert lease.lost
    assert rig.overdue == []


def test_a_message_that_waited_for_a_process_that_stood_still_is_ours_for_less(rig: Rig) -> None:
    (received,) = rig.queue.receive(1, wait=0, lease=120)
    (lease,) = rig.leases.hold([replace(received, stood_still=100)])
    assert rig.leases.seconds_left(lease) == pytest.approx(19)
    (late,) = rig.leases.hold([replace(received, id="another", stood_still=120)])
    assert not rig.leases.is_alive(late)


def test_a_lease_ends_when_its_delivery_does(rig: Rig) -> None:
    (delivery,) = rig.queue.receive(1, wait=0, lease=120)
    until = rig.clock.now + 20
    (lease,) = rig.leases.hold([replace(delivery, leased_until=until, stood_still=50)])
    assert rig.leases.seconds_left(lease) == 20
    rig.beat_at(21)
    assert lease.lost


@pytest.mark.parametrize(("renews", "longest"), [(True, float("inf")), (False, 17)])
def test_a_handler_may_run_to_three_seconds_before_the_end_of_a_lease_that_is_not_renewed(
    rig: Rig, renews: bool, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities = replace(rig.queue.capabilities, renews_leases=renews)
    monkeypatch.setattr(MemoryQueue, "capabilities", capabilities)
    (delivery,) = rig.queue.receive(1, wait=0, lease=120)
    (lease,) = rig.leases.hold([replace(delivery, leased_until=rig.clock.now + 20)])
    assert rig.leases.longest_run(lease) == longest

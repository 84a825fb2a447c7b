"""The worker as a whole, on a queue and claims in memory."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry, run_once
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.redis.limiter import Limiter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

SETTINGS = Settings(worker_name="test", queue_url="memory", receive_wait=0, health_file=None)


class Running:
    """A worker in a thread; `stop` asks for the shutdown and returns the exit code."""

    def __init__(
        self,
        handle: Callable[[Message], None],
        queue: MemoryQueue,
        *,
        settings: Settings,
        claims: MemoryClaims | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self.lines: list[str] = []
        metrics = Metrics("test", write=self.lines.append)
        self.worker = Worker(
            handle,
            gate=Gate(idempotency_key="/id") if claims else Gate(),
            broker=queue,
            settings=settings,
            claims=claims,
            limiter=limiter,
            metrics=metrics,
        )
        self._code: list[int] = []
        self._thread = threading.Thread(target=lambda: self._code.append(self.worker.run()), daemon=True)
        self._thread.start()

    def stop(self, times: int = 1) -> int:
        for _ in range(times):
            self.worker.request_stop("test")
        return self.join()

    def join(self) -> int:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the worker did not stop"
        return self._code[0]


def settings(**changes: Any) -> Settings:
    return replace(SETTINGS, **{"receive_wait": 0.05, **changes})


def done(_message: Message) -> None:
    pass


# What a message costs


def test_a_backlog_costs_at_most_21_requests_for_100_messages() -> None:
    queue = MemoryQueue({"id": n} for n in range(1000))
    assert run_once(done, queue=queue) == 0
    assert queue.empty
    assert sum(queue.requests.values()) <= 210
    assert queue.requests["release"] == 0


def test_a_poisoned_backlog_costs_at_most_31_requests_for_100_messages() -> None:
    queue = MemoryQueue("{" for _ in range(1000))
    run_once(done, queue=queue)
    assert queue.empty
    assert len(queue.dead_letters) == 1000
    assert sum(queue.requests.values()) <= 320


def test_an_idle_worker_asks_once_a_poll(eventually: Eventually) -> None:
    polls: list[int] = []

    class Idle(MemoryQueue):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            polls.append(wait)
            return super().receive(limit, wait=0.02, lease=lease)  # type: ignore[arg-type]

    queue = Idle()
    running = Running(done, queue, settings=replace(SETTINGS, receive_wait=20))
    eventually(lambda: len(polls) >= 3)
    assert running.stop() == 0
    assert set(polls) == {20}
    assert sum(queue.requests.values()) == queue.requests["receive"]


# How a message ends


def test_a_handled_message_is_gone() -> None:
    seen: list[Any] = []
    queue = MemoryQueue([{"id": 1}])
    run_once(lambda message: seen.append(message.body), queue=queue)
    assert seen == [{"id": 1}]
    assert queue.empty


def test_a_message_that_fails_the_schema_is_dead_after_one_delivery_and_no_handler_saw_it() -> None:
    queue = MemoryQueue([{"id": "x"}, "{"])
    seen: list[Message] = []
    run_once(seen.append, queue=queue, schema={"properties": {"id": {"type": "integer"}}})
    assert seen == []
    assert queue.empty
    assert [(letter.reason, letter.delivery.receive_count) for letter in queue.dead_letters] == [
        ("schema: /properties/id/type", 1),
        ("not JSON", 1),
    ]


def test_a_handler_may_call_a_message_poison() -> None:
    def refuse(message: Message) -> None:
        raise PoisonMessage("unknown currency", detail=message.body["currency"])

    queue = MemoryQueue([{"id": 1, "currency": "XXX"}])
    claims = MemoryClaims()
    run_once(refuse, queue=queue, claims=claims, idempotency_key="/id")
    assert [(letter.reason, letter.detail) for letter in queue.dead_letters] == [("unknown currency", "XXX")]
    assert queue.empty
    assert claims.claim("1", owner="redrive", seconds=1).state == "granted"


@pytest.mark.parametrize("error", [ValueError("no"), Retry("later"), SystemExit(1)])
def test_a_message_whose_handler_fails_comes_back_after_a_back_off(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fargate_workers_runtime.pipeline.attempting.attempts.full_jitter", lambda attempt: 2.0 * attempt
    )

    def fail(_message: Message) -> None:
        raise error

    now = [0.0]
    queue = MemoryQueue([{"id": 1}], clock=lambda: now[0])
    run_once(fail, queue=queue)
    assert queue.hidden == 1
    now[0] = 2.1
    assert [each.receive_count for each in queue.receive(1, wait=0, lease=1)] == [2]


def test_a_handler_may_say_when_to_try_again() -> None:
    def later(_message: Message) -> None:
        raise Retry(after=timedelta(minutes=5))

    now = [0.0]
    queue = MemoryQueue([{"id": 1}], clock=lambda: now[0])
    run_once(later, queue=queue)
    now[0] = 299
    assert queue.hidden == 1
    now[0] = 300
    assert queue.hidden == 0


def test_a_fault_in_the_gate_costs_its_message_a_delivery_and_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(body: object, **_options: object) -> object:
        if body == {"id": 1}:
            raise ZeroDivisionError
        return body, {}

    monkeypatch.setattr("fargate_workers_runtime.handlers.gate.unwrap", broken)
    queue = MemoryQueue([{"id": 1}, {"id": 2}])
    seen: list[Any] = []
    assert run_once(lambda message: seen.append(message.body), queue=queue) == 0
    assert seen == [{"id": 2}]
    assert not queue.empty
    assert queue.dead_letters == []


def test_the_last_delivery_that_fails_takes_its_reason_to_the_dead_letter_queue() -> None:
    def fail(_message: Message) -> None:
        raise ValueError("no such customer")

    queue = MemoryQueue([{"id": 1}])
    for _ in range(2):
        queue.release([(each, 0) for each in queue.receive(1, wait=0, lease=1)])
    run_once(fail, queue=queue, settings=settings(receive_wait=0, max_receive_count=3))
    (letter,) = queue.dead_letters
    assert (letter.reason, letter.detail) == ("failed, and was delivered 3 times", "ValueError: no such customer")
    assert queue.empty


def test_an_announcement_that_asks_for_nothing_is_acknowledged() -> None:
    seen: list[Message] = []
    queue = MemoryQueue([{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "files"}])
    run_once(seen.append, queue=queue)
    assert seen == []
    assert queue.empty
    assert queue.dead_letters == []


def test_a_message_without_a_dead_letter_queue_takes_the_redrive_policys_road() -> None:
    class Bare(MemoryQueue):
        capabilities = replace(MemoryQueue().capabilities, dead_letters=False)

    queue = Bare(["{"])
    run_once(done, queue=queue)
    assert queue.dead_letters == []
    assert not queue.empty


# Claims


def test_one_key_has_one_effect_and_its_duplicates_are_counted() -> None:
    seen: list[Any] = []
    queue = MemoryQueue([{"id": 1}, {"id": 2}])
    claims = MemoryClaims()
    run_once(lambda message: seen.append(message.body["id"]), queue=queue, claims=claims, idempotency_key="/id")
    redriven = MemoryQueue([{"id": 1}])
    run_once(lambda message: seen.append(message.body["id"]), queue=redriven, claims=claims, idempotency_key="/id")
    assert sorted(seen) == [1, 2]
    assert redriven.empty


def test_a_key_used_again_for_something_else_is_poison() -> None:
    claims = MemoryClaims()
    run_once(done, queue=MemoryQueue([{"id": 1, "amount": 1}]), claims=claims, idempotency_key="/id")
    queue = MemoryQueue([{"id": 1, "amount": 2}])
    run_once(done, queue=queue, claims=claims, idempotency_key="/id")
    assert [letter.reason for letter in queue.dead_letters] == ["idempotency key reused"]


def test_a_key_that_another_worker_holds_is_looked_at_soon_and_then_ever_later() -> None:
    now = [0.0]
    claims = MemoryClaims()
    claims.claim("1", owner="other", seconds=60)
    queue = MemoryQueue([{"id": 1}], clock=lambda: now[0])
    seen: list[Message] = []
    for wait in (2, 60, 120, 240):
        claims.renew("1", owner="other", seconds=60)
        run_once(seen.append, queue=queue, claims=claims, idempotency_key="/id")
        now[0] += wait - 1
        assert queue.hidden == 1
        now[0] += 3
        assert queue.hidden == 0
    assert seen == []


def test_a_failed_attempt_frees_its_key_and_the_next_one_is_told_it_is_the_second() -> None:
    attempts: list[int] = []

    def fail_once(message: Message) -> None:
        attempts.append(message.attempt)
        if message.attempt == 1:
            raise Retry(after=timedelta())

    queue = MemoryQueue([{"id": 1}])
    claims = MemoryClaims()
    while not queue.empty:
        run_once(fail_once, queue=queue, claims=claims, idempotency_key="/id")
    assert attempts == [1, 2]


def test_a_worker_that_lost_its_claim_does_not_acknowledge() -> None:
    claims = MemoryClaims()

    def lose_it(message: Message) -> None:
        claims.release("1", owner=claims.owners["1"])
        claims.claim("1", owner="other", seconds=60)

    queue = MemoryQueue([{"id": 1}])
    run_once(lose_it, queue=queue, claims=claims, idempotency_key="/id")
    assert not queue.empty
    assert claims.complete("1", owner="other")


@pytest.mark.usefixtures("amid_work")
def test_an_outage_costs_each_message_in_hand_one_delivery_and_the_others_none(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.outage.full_jitter", lambda *_a, **_k: 0.01)
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.full_jitter", lambda *_a, **_k: 0.0)
    down, looks, claims = threading.Event(), threading.Semaphore(0), MemoryClaims()
    down.set()
    claim = claims.claim

    def unreliable(*arguments: Any, **options: Any) -> Any:
        if down.is_set():
            raise ConnectionError("no answer")
        return claim(*arguments, **options)

    def check() -> None:
        looks.release()
        if down.is_set():
            raise ConnectionError("no answer")

    monkeypatch.setattr(claims, "claim", unreliable)
    monkeypatch.setattr(claims, "check", check)
    counts: list[int] = []
    queue = MemoryQueue({"id": n} for n in range(30))
    running = Running(
        lambda message: counts.append(message.receive_count), queue, settings=settings(concurrency=10), claims=claims
    )
    for _ in range(3):
        assert looks.acquire(timeout=PATIENCE)
    assert queue.hidden == 0
    assert queue.requests["receive"] == 1
    down.clear()
    eventually(lambda: queue.empty)
    assert running.stop() == 0
    assert sorted(counts) == [1] * 20 + [2] * 10


def test_a_claim_whose_answer_was_lost_is_freed_for_the_next_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = MemoryClaims()
    claim = claims.claim

    def lost(*arguments: Any, **options: Any) -> Any:
        claim(*arguments, **options)
        raise TimeoutError("no answer")

    monkeypatch.setattr(claims, "claim", lost)
    run_once(done, queue=MemoryQueue([{"id": 1}]), claims=claims, idempotency_key="/id")
    assert claim("1", owner="next", seconds=60).state == "granted"


@pytest.fixture
def twice_down(monkeypatch: pytest.MonkeyPatch) -> MemoryClaims:
    """Claims that do not take the first two records of an effect."""
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.full_jitter", lambda *_a, **_k: 0.0)
    claims = MemoryClaims()
    complete = claims.complete
    failures = [ConnectionError("no"), TimeoutError("no")]

    def unreliable(*arguments: Any, **options: Any) -> bool:
        if failures:
            raise failures.pop()
        return complete(*arguments, **options)

    monkeypatch.setattr(claims, "complete", unreliable)
    return claims


def test_an_effect_that_cannot_be_recorded_at_once_is_recorded_later(twice_down: MemoryClaims) -> None:
    queue = MemoryQueue([{"id": 1}])
    run_once(done, queue=queue, claims=twice_down, idempotency_key="/id")
    assert queue.empty
    assert twice_down.claim("1", owner="other", seconds=1).state == "completed"


def test_an_effect_is_recorded_later_also_when_its_message_has_been_lost(twice_down: MemoryClaims) -> None:
    """Its next delivery would repeat it, unless another attempt has the key by now, which the claims know."""

    def handle(_message: Message) -> None:
        (lease,) = workers[0].leases.held()
        lease.lost = True

    workers: list[Worker] = []
    gate = Gate(idempotency_key="/id")
    queue = MemoryQueue([{"id": 1}])
    workers.append(Worker(handle, gate=gate, broker=queue, settings=SETTINGS, claims=twice_down))
    workers[0].run(until_empty=True)
    assert twice_down.claim("1", owner="other", seconds=1).state == "completed"


def test_an_effect_that_cannot_be_recorded_at_all_is_acknowledged_rather_than_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.full_jitter", lambda *_a, **_k: 0.0)

    def down(*_arguments: object, **_options: object) -> bool:
        raise ConnectionError("no answer")

    claims = MemoryClaims()
    monkeypatch.setattr(claims, "complete", down)
    seen: list[Message] = []
    queue = MemoryQueue([{"id": 1}])
    run_once(seen.append, queue=queue, claims=claims, idempotency_key="/id")
    assert len(seen) == 1
    assert queue.empty
    assert "effect_not_recorded" in caplog.messages


def test_an_effect_may_be_recorded_together_with_its_writes() -> None:
    write = {"Put": {"TableName": "orders", "Item": {"order_id": {"S": "1"}}}}
    queue, claims = MemoryQueue([{"id": 1}]), MemoryClaims()
    run_once(lambda message: message.transact([write]), queue=queue, claims=claims, idempotency_key="/id")
    assert claims.transactions == [[write]]
    assert queue.empty
    assert claims.claim("1", owner="other", seconds=1).state == "completed"


def test_a_transaction_of_a_worker_that_lost_its_claim_writes_nothing_and_acknowledges_nothing() -> None:
    claims = MemoryClaims()

    def too_late(message: Message) -> None:
        claims.release("1", owner=claims.owners["1"])
        claims.claim("1", owner="other", seconds=60)
        message.transact([])

    queue = MemoryQueue([{"id": 1}])
    run_once(too_late, queue=queue, claims=claims, idempotency_key="/id")
    assert claims.transactions == []
    assert not queue.empty


def test_a_transaction_without_claims_says_what_it_needs(caplog: pytest.LogCaptureFixture) -> None:
    run_once(lambda message: message.transact([]), queue=MemoryQueue([{"id": 1}]))
    (failure,) = [record for record in caplog.records if record.message == "handler_failed"]
    assert failure.exc_info is not None
    assert "give the QueueWorker a DeduplicationTable" in str(failure.exc_info[1])


def test_a_claim_store_that_does_not_answer_means_no_effect_and_no_acknowledgement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def down(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("no answer")

    claims = MemoryClaims()
    monkeypatch.setattr(claims, "claim", down)
    queue = MemoryQueue([{"id": 1}])
    seen: list[Message] = []
    run_once(seen.append, queue=queue, claims=claims, idempotency_key="/id")
    assert seen == []
    assert not queue.empty


# FIFO


def test_a_group_is_handled_one_after_the_other_and_groups_beside_each_other() -> None:
    queue = MemoryQueue(fifo=True)
    for n in range(8):
        queue.send({"n": n}, group_id="a" if n % 2 else "b")
    order: list[int] = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def handle(message: Message) -> None:
        if message.body["n"] < 2:
            both.wait()  # the first of each group meet: groups run at the same time
        order.append(message.body["n"])

    run_once(handle, queue=queue)
    assert [n for n in order if n % 2] == [1, 3, 5, 7]
    assert [n for n in order if not n % 2] == [0, 2, 4, 6]


def test_a_failed_message_holds_back_the_rest_of_its_group() -> None:
    seen: list[int] = []

    def fail_once(message: Message) -> None:
        seen.append(message.body["n"])
        if seen == [0]:
            raise Retry(after=timedelta())

    queue = MemoryQueue(fifo=True)
    for n in range(4):
        queue.send({"n": n}, group_id="a")
    while not queue.empty:
        run_once(fail_once, queue=queue)
    assert seen == [0, 0, 1, 2, 3]


# Concurrency and stopping


def test_a_message_lost_while_it_was_handled_is_not_acknowledged() -> None:
    queue = MemoryQueue([{"id": 1}])
    workers: list[Worker] = []

    def lose_it(_message: Message) -> None:
        (lease,) = workers[0].leases.held()
        lease.lost = True

    workers.append(Worker(lose_it, gate=Gate(), broker=queue, settings=SETTINGS))
    workers[0].run(until_empty=True)
    assert not queue.empty


def test_a_message_lost_before_it_was_begun_is_left_to_whoever_has_it() -> None:
    queue = MemoryQueue([{"id": 1}, {"id": 2}])
    workers: list[Worker] = []
    seen: list[int] = []

    def lose_the_other(message: Message) -> None:
        seen.append(message.body["id"])
        for lease in workers[0].leases.held():
            lease.lost = lease.delivery.id != message.id

    metrics = Metrics("test", write=lambda _line: None)
    metrics.took(0.01)  # it knows short handlers, and takes both
    options = settings(receive_wait=0, concurrency=1)
    workers.append(Worker(lose_the_other, gate=Gate(), broker=queue, settings=options, metrics=metrics))
    workers[0].run(until_empty=True)
    assert seen == [1]
    assert not queue.empty


def test_as_many_messages_run_at_once_as_concurrency_says() -> None:
    together = threading.Barrier(4, timeout=PATIENCE)
    queue = MemoryQueue({"id": n} for n in range(4))
    run_once(lambda _message: together.wait() and None, queue=queue, settings=settings(concurrency=4, receive_wait=0))
    assert queue.empty


@pytest.mark.usefixtures("amid_work")
def test_a_worker_takes_no_more_than_it_can_start_while_handlers_are_slow(eventually: Eventually) -> None:
    release = threading.Event()
    queue = MemoryQueue({"id": n} for n in range(30))
    running = Running(lambda _message: release.wait(PATIENCE) and None, queue, settings=settings(concurrency=3))
    eventually(lambda: queue.hidden == 3)
    assert queue.requests["receive"] == 1  # and the next only when a thread is free
    release.set()
    eventually(lambda: queue.empty)
    assert running.stop() == 0


def test_stopping_finishes_what_runs_hands_back_the_rest_and_leaves_nothing_hidden(eventually: Eventually) -> None:
    started, release = threading.Semaphore(0), threading.Event()
    fast = [True]
    seen: list[int] = []

    def handle(message: Message) -> None:
        started.release()
        if not fast[0]:
            release.wait(PATIENCE)
        seen.append(message.body["id"])

    queue = MemoryQueue({"id": n} for n in range(2))
    running = Running(handle, queue, settings=settings(concurrency=2))
    eventually(lambda: queue.empty)
    fast[0] = False  # the worker now knows short handlers, and fetches a batch ahead
    for n in range(2, 40):
        queue.send({"id": n})
    for _ in range(4):
        assert started.acquire(timeout=PATIENCE)
    eventually(lambda: queue.hidden > 2)
    running.worker.request_stop("SIGTERM")
    eventually(lambda: queue.hidden <= 2)  # what had not begun is visible to others before the running ones end
    release.set()
    assert running.join() == 0
    assert queue.hidden == 0
    assert len(seen) == 4
    assert not queue.empty


@pytest.mark.parametrize(("stop_timeout", "wait"), [(120, 20), (30, 7), (1, 1)])
def test_a_poll_ends_well_within_the_stop_timeout(stop_timeout: int, wait: int) -> None:
    waits: list[int] = []

    class Recording(MemoryQueue):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            waits.append(wait)
            return []

    stopping = replace(SETTINGS, receive_wait=20, stop_timeout=stop_timeout)
    Worker(done, gate=Gate(), broker=Recording(), settings=stopping).run(until_empty=True)
    assert waits == [wait]


def test_stopping_twice_is_stopping_once() -> None:
    queue = MemoryQueue()
    assert Running(done, queue, settings=settings()).stop(times=3) == 0


def test_what_an_open_poll_brings_while_stopping_goes_back() -> None:
    polling, stopping = threading.Event(), threading.Event()

    class Slow(MemoryQueue):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            polling.set()
            stopping.wait(PATIENCE)
            return super().receive(limit, wait=0, lease=lease)

    queue = Slow([{"id": 1}])
    seen: list[Message] = []
    running = Running(seen.append, queue, settings=settings())
    assert polling.wait(PATIENCE)
    running.worker.request_stop("SIGTERM")
    while not running.worker.stopping.wait(0.01):
        pass
    stopping.set()
    assert running.join() == 0
    assert (seen, queue.hidden, queue.empty) == ([], 0, False)


def test_a_handler_that_outlives_the_stop_timeout_is_abandoned_with_its_message_and_key_free(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(Settings, "drain_seconds", 0.4)
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def hang(_message: Message) -> None:
        started.set()
        release.wait(PATIENCE)
        ended.set()

    queue, claims = MemoryQueue([{"id": 1}]), MemoryClaims()
    running = Running(hang, queue, settings=settings(), claims=claims)
    assert started.wait(PATIENCE)
    assert running.stop() == 0
    assert queue.hidden == 0
    assert claims.claim("1", owner="next", seconds=60).state == "granted"
    release.set()
    eventually(lambda: ended.is_set() and not running.worker.runs)
    assert not queue.empty


def test_an_overdue_handler_ends_the_process_with_1_so_that_a_fresh_one_starts(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(Settings, "drain_seconds", 0.05)
    release = threading.Event()
    queue = MemoryQueue([{"id": 1}])
    running = Running(
        lambda _message: release.wait(PATIENCE) and None, queue, settings=settings(lease=1, max_processing=0)
    )
    assert running.join() == 1
    release.set()
    eventually(lambda: not running.worker.runs)


def test_a_queue_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch, eventually: Eventually) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.receiving.receivers.full_jitter", lambda *_a, **_k: 0.0)
    faults = [ConnectionError("no"), TimeoutError("no")]

    class Flaky(MemoryQueue):
        def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
            if faults:
                raise faults.pop()
            return super().receive(limit, wait=wait, lease=lease)

    queue = Flaky([{"id": 1}])
    running = Running(done, queue, settings=settings())
    eventually(lambda: queue.empty)
    assert running.stop() == 0


def test_a_process_that_has_begun_its_share_of_messages_ends_to_be_replaced(eventually: Eventually) -> None:
    queue = MemoryQueue({"id": n} for n in range(50))
    assert Running(done, queue, settings=settings(max_messages=5, concurrency=1)).join() == 0
    assert queue.hidden == 0
    assert not queue.empty


def test_handlers_begin_as_the_rate_limit_lets_them() -> None:
    class TwoOnly:
        def __init__(self) -> None:
            self.left, self.closed = 2, False

        def take(self, *, stopping: threading.Event) -> bool:
            if self.left == 0:
                return not stopping.wait(PATIENCE)
            self.left -= 1
            return True

        def check(self) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    limiter, seen = TwoOnly(), threading.Semaphore(0)
    queue = MemoryQueue({"id": n} for n in range(10))
    worker = Worker(
        lambda _message: seen.release(), gate=Gate(), broker=queue, settings=settings(concurrency=1), limiter=limiter
    )
    code: list[int] = []
    thread = threading.Thread(target=lambda: code.append(worker.run()), daemon=True)
    thread.start()
    for _ in range(2):
        assert seen.acquire(timeout=PATIENCE)
    worker.request_stop("test")
    thread.join(PATIENCE)
    assert code == [0]
    assert limiter.closed
    assert not seen.acquire(blocking=False)
    assert queue.hidden == 0


def test_a_minute_of_work_is_counted() -> None:
    def handle(message: Message) -> None:
        if message.body["id"] == 2:
            raise Retry("later")
        if message.body["id"] == 3:
            raise ConnectionError("down")

    queue = MemoryQueue([{"id": 1}, {"id": 2}, {"id": 3}, "{"])
    lines: list[str] = []
    worker = Worker(handle, gate=Gate(), broker=queue, settings=SETTINGS, metrics=Metrics("test", write=lines.append))
    worker.run(until_empty=True)
    (line,) = map(json.loads, lines)
    counts = {name: number for name, number in line.items() if name.startswith("Messages") and number}
    assert counts == {"MessagesHandled": 1, "MessagesFailed": 1, "MessagesPostponed": 1, "MessagesPoisoned": 1}
    assert sum(line["HandlerSeconds"]["Counts"]) == 3


class NoRate:
    """A rate limit whose Redis is away."""

    def take(self, *, stopping: threading.Event) -> bool:
        raise ConnectionError("no answer")

    def check(self) -> None:
        raise ConnectionError("no answer")

    def close(self) -> None:
        pass


@pytest.mark.parametrize("away", ["claims", "rate limit"])
def test_an_outage_beside_the_worker_is_no_failure_of_its_handler(
    away: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    def down(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("no answer")

    claims, queue = MemoryClaims(), MemoryQueue([{"id": 1}])
    if away == "claims":
        monkeypatch.setattr(claims, "claim", down)
        monkeypatch.setattr(claims, "check", down)
    running = Running(
        done, queue, settings=settings(), claims=claims, limiter=NoRate() if away == "rate limit" else None
    )
    eventually(lambda: queue.released)
    assert running.stop() == 0
    (line,) = map(json.loads, running.lines)
    assert (line["MessagesFailed"], line["MessagesPostponed"]) == (0, 1)

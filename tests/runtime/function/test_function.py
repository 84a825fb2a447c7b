"""A function handles the messages of its events as a worker does, and reports those that failed."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure
from fargate_workers_runtime.brokers.function import Invocation, InvocationBroker
from fargate_workers_runtime.errors import EventError
from fargate_workers_runtime.function import Function
from fargate_workers_runtime.function.fed_worker import FedWorker
from fargate_workers_runtime.handlers import Gate, Handler
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.doubles.event_source import Context, EventSource, event_of
from tests.patience import PATIENCE

SCHEMA = {"type": "object", "required": ["id"]}
SETTINGS = Settings(
    worker_name="test", queue_url="https://sqs/1/orders", lease=420, health_file=None, max_processing=60, receivers=1
)


class Environment:
    """An execution environment with a function, the queue that invokes it, and what came of it."""

    def __init__(
        self,
        handle: Handler,
        *,
        fifo: bool = False,
        queue: MemoryQueue | None = None,
        claims: MemoryClaims | None = None,
        timeout: float = 70,
        batch_size: int = 10,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.queue = queue or MemoryQueue(fifo=fifo, clock=self.clock)
        self.claims = claims
        self.handled: list[Any] = []
        self.lines: list[str] = []
        self.exits: list[int] = []
        self.workers: list[FedWorker] = []
        self._handle = handle
        self._settings = replace(SETTINGS, **settings)
        self._metrics = Metrics("test", write=self.lines.append)
        self.function = Function(
            self._open, settings=self._settings, metrics=self._metrics, exit_process=self.exits.append
        )
        self.source = EventSource(self.queue, self.function, batch_size=batch_size, timeout=timeout)

    def _open(self) -> FedWorker:
        broker = InvocationBroker(self.queue)
        gate = Gate(SCHEMA, idempotency_key="/id")
        worker = Worker(
            self._handle,
            gate=gate,
            broker=broker,
            settings=self._settings,
            claims=self.claims,
            metrics=self._metrics,
            linger=0.0,
        )
        self.workers.append(FedWorker(worker, broker))
        return self.workers[-1]

    def send(self, *ids: object, group: str | None = None, **more: object) -> list[str]:
        return [self.queue.send({"id": each, **more}, group_id=group) for each in ids]

    def settle(self) -> None:
        """Poll, with steps of the queue's clock, until the queue is empty."""
        while (seconds := self.queue.seconds_to_next) is not None:
            self.clock.advance(seconds)
            self.source.poll()

    def close(self) -> None:
        for each in self.workers:
            each.retire()


Make = Callable[..., Environment]


@pytest.fixture
def environment() -> Generator[Make]:
    made: list[Environment] = []

    def make(handle: Handler, **options: Any) -> Environment:
        made.append(Environment(handle, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Notes:
    """A handler that notes ids, and does what a test says for some of them."""

    def __init__(self, **does: Callable[[Message], None]) -> None:
        self.ids: list[Any] = []
        self.attempts: list[int] = []
        self._does = does

    def __call__(self, message: Message) -> None:
        if does := self._does.get(str(message.body["id"])):
            does(message)
        self.ids.append(message.body["id"])
        self.attempts.append(message.attempt)


def raising(error: BaseException) -> Callable[[Message], None]:
    def fail(_message: Message) -> None:
        raise error

    return fail


def test_what_is_handled_is_acknowledged_without_a_request(environment: Make) -> None:
    handle = Notes()
    here = environment(handle)
    here.send(*range(10))
    assert here.source.poll() == 10
    assert sorted(handle.ids) == list(range(10))
    assert here.source.reported == [[]]
    assert here.queue.empty
    assert here.queue.requests["release"] == here.queue.requests["dead_letter"] == here.queue.requests["extend"] == 0


def test_poison_is_dead_lettered_at_its_first_delivery_with_its_reason_and_not_reported(environment: Make) -> None:
    here = environment(Notes(bad=raising(PoisonMessage("unknown currency", detail="XXX"))))
    here.send("good", "bad")
    here.queue.send("{")
    here.queue.send({"no": "id"})
    here.source.poll()
    assert here.source.reported == [[]]
    assert sorted(letter.reason for letter in here.queue.dead_letters) == [
        "not JSON",
        "schema: /required",
        "unknown currency",
    ]
    assert {letter.delivery.receive_count for letter in here.queue.dead_letters} == {1}
    assert here.queue.empty


def test_a_failure_is_released_for_its_back_off_and_reported(environment: Make) -> None:
    handle = Notes(bad=raising(TimeoutError()), later=raising(Retry(after=600)))
    here = environment(handle)
    ids = dict(zip(("good", "bad", "later"), here.send("good", "bad", "later"), strict=True))
    here.source.poll()
    assert here.source.reported == [[ids["bad"], ids["later"]]]
    pauses = {delivery.id: seconds for delivery, seconds in here.queue.released}
    assert 1 <= pauses[ids["bad"]] <= 2
    assert pauses[ids["later"]] == 600
    assert handle.ids == ["good"]


def test_a_message_that_always_fails_is_dead_lettered_after_its_attempts(environment: Make) -> None:
    here = environment(Notes(bad=raising(RuntimeError("boom"))), max_attempts=3)
    here.send("bad")
    here.settle()
    (letter,) = here.queue.dead_letters
    assert (letter.reason, letter.detail) == ("failed 3 times", "RuntimeError: boom")


def test_at_the_queues_last_delivery_a_failure_is_dead_lettered_with_its_reason(environment: Make) -> None:
    here = environment(Notes(bad=raising(RuntimeError("boom"))), fifo=True, max_receive_count=2, max_attempts=2)
    here.send("bad", group="g")
    here.settle()
    assert [letter.reason for letter in here.queue.dead_letters] == ["failed 2 times"]


def test_the_rest_of_a_failed_group_is_reported_and_costs_no_attempt(environment: Make) -> None:
    fails = iter([True, True, False])

    def first(_message: Message) -> None:
        if next(fails):
            raise TimeoutError

    handle = Notes(a1=first)
    here = environment(handle, fifo=True)
    ids = here.send("a1", "a2", "a3", group="a") + here.send("b1", "b2", group="b")
    here.source.poll()
    assert here.source.reported == [ids[:3]]
    assert handle.ids == ["b1", "b2"]
    assert [seconds for _, seconds in here.queue.released][1:] == [0, 0]
    assert here.source.poll() == 0  # its first holds the group
    here.settle()
    assert handle.ids == ["b1", "b2", "a1", "a2", "a3"]
    assert handle.attempts[-3:] == [3, 1, 1]


def begun_invocation(queue: MemoryQueue, *, many: int) -> tuple[InvocationBroker, Invocation]:
    broker = InvocationBroker(queue)
    return broker, broker.begin(queue.receive(many, wait=0, lease=60), until=time.monotonic() + 60)


def received_ids(broker: InvocationBroker, limit: int) -> list[Any]:
    return [json.loads(each.text)["id"] for each in broker.receive(limit, wait=0, lease=60)]


def test_a_group_received_one_by_one_goes_on_when_its_first_is_acknowledged() -> None:
    queue = MemoryQueue(fifo=True)
    for each in ("a1", "a2", "a3"):
        queue.send({"id": each}, group_id="a")
    queue.send({"id": "b1"}, group_id="b")
    broker, invocation = begun_invocation(queue, many=4)
    (first,) = broker.receive(1, wait=0, lease=60)
    assert received_ids(broker, 1) == ["b1"]
    assert received_ids(broker, 10) == []
    broker.acknowledge([first])
    assert received_ids(broker, 10) == ["a2", "a3"]
    assert len(broker.end(invocation)) == 3  # all but the first


def test_the_rest_of_a_failed_group_that_was_not_received_is_released_behind_it() -> None:
    queue = MemoryQueue(fifo=True)
    ids = [queue.send({"id": each}, group_id="a") for each in ("a1", "a2", "a3")]
    broker, invocation = begun_invocation(queue, many=3)
    (first,) = broker.receive(1, wait=0, lease=60)
    assert broker.release([(first, 5)]) == []
    assert received_ids(broker, 10) == []
    assert invocation.wait(0)
    assert broker.end(invocation) == ids
    assert [(each.id, seconds) for each, seconds in queue.released] == [(ids[0], 5), (ids[1], 0), (ids[2], 0)]


def test_poison_in_a_group_does_not_hold_up_the_rest(environment: Make) -> None:
    handle = Notes(a1=raising(PoisonMessage("bad")))
    here = environment(handle, fifo=True)
    here.send("a1", "a2", "a3", group="a")
    here.source.poll()
    assert handle.ids == ["a2", "a3"]
    assert here.source.reported == [[]]


def test_a_group_keeps_its_order_over_two_invocations(environment: Make) -> None:
    handle = Notes()
    here = environment(handle, fifo=True, batch_size=3)
    here.send(1, 2, 3, 4, 5, group="a")
    assert (here.source.poll(), here.source.poll()) == (3, 2)
    assert handle.ids == [1, 2, 3, 4, 5]


def test_an_effect_happens_once_however_often_its_key_is_in_a_batch(environment: Make) -> None:
    handle = Notes()
    here = environment(handle, claims=MemoryClaims())
    here.send("order", "order", "order")
    here.source.poll()
    here.settle()
    assert handle.ids == ["order"]


def test_one_message_twice_in_an_event_runs_once(environment: Make) -> None:
    handle = Notes()
    here = environment(handle)
    here.send("a")
    (delivery,) = here.queue.receive(1, wait=0, lease=420)
    event = event_of([delivery, replace(delivery, token="second")])
    assert here.function(event, Context(70)) == {"batchItemFailures": []}
    assert handle.ids == ["a"]


def test_a_message_whose_key_another_environment_holds_is_reported_at_once(environment: Make) -> None:
    claims = MemoryClaims()
    claims.claim("a", owner="elsewhere", seconds=300)
    handle = Notes()
    here = environment(handle, claims=claims)
    here.send("a", "b")
    here.source.poll()
    assert handle.ids == ["b"]
    assert len(here.source.reported[0]) == 1
    assert here.queue.released[0][1] >= 2


def test_coroutines_run_side_by_side(environment: Make) -> None:
    here_now = {"now": 0, "most": 0}

    async def handle(_message: Message) -> None:
        here_now["now"] += 1
        here_now["most"] = max(here_now.values())
        while here_now["most"] < 5:
            await asyncio.sleep(0)
        here_now["now"] -= 1

    here = environment(handle, concurrency=5)
    here.send(*range(5))
    here.source.poll()
    assert here.source.reported == [[]]


def test_the_deadline_of_a_message_is_five_seconds_before_the_time_out(environment: Make) -> None:
    left: list[float] = []

    def handle(message: Message) -> None:
        assert message.deadline is not None
        left.append((message.deadline - datetime.now(UTC)).total_seconds())

    here = environment(handle, timeout=30)
    here.send("a")
    here.source.poll()
    assert 20 < left[0] <= 25
    here = environment(handle, timeout=900)
    here.send("a")
    here.source.poll()
    assert 55 < left[1] <= 60


def until(event: threading.Event) -> Callable[[Message], None]:
    def wait(_message: Message) -> None:
        event.wait(PATIENCE)

    return wait


@pytest.fixture
def stuck() -> Generator[threading.Event]:
    """Set at the end, so that no thread of a test hangs on."""
    released = threading.Event()
    yield released
    released.set()


def test_a_handler_that_exceeds_its_time_is_reported_with_what_has_not_begun(
    environment: Make, stuck: threading.Event
) -> None:
    handle = Notes(slow=until(stuck))
    here = environment(handle, timeout=5.2, concurrency=1, claims=MemoryClaims())
    ids = here.send("first", "slow", "third")
    context = Context(5.2)
    deliveries = here.queue.receive(10, wait=0, lease=420)
    answer = here.function(event_of(deliveries), context)
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ids[1:]
    assert context.get_remaining_time_in_millis() > 0
    # What was cut short, or never began, comes back at once and has not failed.
    assert {delivery.id: seconds for delivery, seconds in here.queue.released} == {ids[1]: 0, ids[2]: 0}


def test_a_handler_that_has_had_all_its_time_has_failed(environment: Make, stuck: threading.Event) -> None:
    here = environment(until(stuck), max_processing=0, max_attempts=1, timeout=5.2)
    here.send("slow")
    here.source.poll()
    assert [letter.reason for letter in here.queue.dead_letters] == ["failed 1 times"]
    assert here.source.reported == [[]]


def test_an_environment_with_a_hung_handler_releases_the_next_batch_and_ends(
    environment: Make, stuck: threading.Event
) -> None:
    handle = Notes(slow=until(stuck))
    here = environment(handle, timeout=5.2)
    here.send("slow")
    here.source.poll()
    released = len(here.queue.released)
    ids = here.send("next", "slow")
    here.source.poll()
    assert here.exits == [1]
    assert sorted(each.id for each, _ in here.queue.released[released:]) == sorted(here.source.reported[-1])
    assert set(ids[:1]) <= set(here.source.reported[-1])
    assert handle.ids == []


def test_an_environment_goes_on_when_its_slow_handler_has_ended(environment: Make, stuck: threading.Event) -> None:
    handle = Notes(slow=until(stuck))
    here = environment(handle, timeout=5.2)
    here.send("slow")
    here.source.poll()
    stuck.set()
    while any(each.runs for each in here.workers):
        time.sleep(0.005)  # a poll's pace
    here.send("next")
    here.settle()
    assert here.exits == []
    assert "next" in handle.ids


def test_a_coroutine_that_exceeds_its_time_is_cancelled_and_reported(environment: Make) -> None:
    async def handle(_message: Message) -> None:
        await asyncio.Event().wait()

    here = environment(handle, timeout=5.2)
    here.send("slow")
    here.source.poll()
    assert len(here.source.reported[0]) == 1
    assert not any(each.runs for each in here.workers)
    here.send("next")
    here.source.poll()
    assert here.exits == []


def test_one_worker_serves_all_invocations_and_nothing_of_it_is_at_work_between_them(environment: Make) -> None:
    here = environment(Notes(bad=raising(TimeoutError())))
    threads: set[int] = set()
    for _ in range(3):
        here.send("good", "bad")
        here.source.poll()
        threads.add(threading.active_count())
        requests = dict(here.queue.requests)
        assert here.queue.requests == requests
    assert len(here.workers) == 1
    assert len(threads) == 1


def test_a_freeze_between_invocations_costs_no_lease(environment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Notes()
    here = environment(handle)
    here.send("before")
    here.source.poll()
    real, frozen = time.monotonic, 3600.0
    monkeypatch.setattr("time.monotonic", lambda: real() + frozen)
    here.send("after")
    here.source.poll()
    assert handle.ids == ["before", "after"]
    assert here.source.reported == [[], []]


def test_metrics_are_written_with_each_invocation(environment: Make) -> None:
    here = environment(Notes())
    here.send("a")
    here.source.poll()
    here.send("b")
    here.source.poll()
    assert ['"MessagesHandled":1' in line for line in here.lines] == [True, True]


class Outage(MemoryClaims):
    broken = True

    def claim(self, *arguments: Any, **options: Any) -> Any:
        if self.broken:
            raise ConnectionError
        return super().claim(*arguments, **options)

    def check(self) -> None:
        if self.broken:
            raise ConnectionError


def test_while_the_claims_are_away_a_batch_is_released_without_waiting(environment: Make) -> None:
    claims, handle = Outage(), Notes()
    here = environment(handle, claims=claims)
    ids = here.send(*range(10))
    here.source.poll()
    assert here.source.reported == [ids]
    assert handle.ids == []
    assert len(here.queue.released) == 10
    claims.broken = False
    here.settle()
    assert sorted(handle.ids) == list(range(10))
    assert set(handle.attempts) == {1}


class Refusing(MemoryQueue):
    """A queue that takes neither releases nor dead letters."""

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        self.requests["release"] += 1
        raise ConnectionError

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        self.requests["dead_letter"] += 1
        return [Failure(index=index, permanent=False, code="Refused") for index in range(len(letters))]


@pytest.mark.parametrize("fifo", [False, True])
def test_what_the_queue_does_not_take_is_reported_and_comes_back_by_itself(environment: Make, fifo: bool) -> None:
    handle = Notes(bad=raising(TimeoutError()), poison=raising(PoisonMessage("bad")))
    here = environment(handle, queue=Refusing(fifo=fifo))
    ids = [here.queue.send({"id": each}, group_id=each) for each in ("bad", "poison", "good")]
    here.source.poll()
    assert here.source.reported == [ids[:2]]
    assert handle.ids == ["good"]
    assert here.queue.requests["release"] == 1
    assert here.queue.requests["dead_letter"] == 3
    assert here.queue.hidden == 2


def test_a_crash_in_mid_batch_brings_all_back_and_repeats_no_effect(environment: Make) -> None:
    claims, handle = MemoryClaims(), Notes()
    here = environment(handle, claims=claims)
    here.send(*range(10))
    deliveries = here.queue.receive(10, wait=0, lease=420)
    here.function(event_of(deliveries), Context(70))
    # The environment dies before Lambda has its answer: nothing is deleted.
    there = environment(handle, claims=claims, queue=here.queue)
    here.clock.advance(420)
    assert there.source.poll() == 10
    assert sorted(handle.ids) == list(range(10))
    assert here.queue.empty


def test_a_claim_of_a_crashed_environment_lapses_with_its_invocation(environment: Make) -> None:
    claimed: list[float] = []

    class Noting(MemoryClaims):
        def claim(self, key: str, *, owner: str, seconds: float, payload: str = "", message_id: str = "") -> Any:
            claimed.append(seconds)
            return super().claim(key, owner=owner, seconds=seconds, payload=payload, message_id=message_id)

    here = environment(Notes(), claims=Noting(), timeout=30)
    here.send("a")
    here.source.poll()
    assert 20 < claimed[0] <= 28


def test_invocations_at_once_in_one_environment_do_not_mix(environment: Make) -> None:
    both = threading.Barrier(4)

    def handle(_message: Message) -> None:
        both.wait(PATIENCE)

    here = environment(handle)
    batches: list[list[Delivery]] = []
    for batch in ("ab", "cd"):
        here.send(*batch)
        batches.append(here.queue.receive(2, wait=0, lease=420))
    answers: list[Any] = []

    def invoke(batch: list[Delivery]) -> None:
        answers.append(here.function(event_of(batch), Context(70)))

    threads = [threading.Thread(target=invoke, args=(batch,)) for batch in batches]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    assert answers == [{"batchItemFailures": []}] * 2
    assert len(here.workers) == 1


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "has no Records"),
        (None, "has no Records"),
        ({"Records": []}, "has no Records"),
        ({"Records": [{"eventSource": "aws:sns"}]}, "not of SQS"),
        ({"Records": [{"eventSource": "aws:sqs", "eventSourceARN": "arn:x:orders"}]}, "without a part"),
        ({"Records": ["text"]}, "without a part"),
    ],
)
def test_a_malformed_event_gives_one_sentence(environment: Make, event: object, says: str) -> None:
    here = environment(Notes())
    with pytest.raises(EventError, match=says) as refused:
        here.function(event, Context(70))
    assert str(refused.value).startswith("The event ")
    assert "\n" not in str(refused.value)
    assert here.workers == []


def test_an_event_of_another_queue_is_refused(environment: Make) -> None:
    here = environment(Notes())
    here.send("a")
    event = event_of(here.queue.receive(1, wait=0, lease=420), arn="arn:aws:sqs:eu-west-1:1:refunds")
    with pytest.raises(EventError, match="of the queue refunds, and QUEUE_URL names orders"):
        here.function(event, Context(70))


def generator(_message: Message) -> Any:
    return (each for each in ())


def test_a_handler_that_returns_unfinished_work_is_refused_and_nothing_is_lost(
    environment: Make, caplog: pytest.LogCaptureFixture
) -> None:
    here = environment(generator)
    ids = here.send("a", "b")
    with caplog.at_level(logging.ERROR):
        here.source.poll()
    assert here.source.reported == [ids]
    assert any("handler_refused" in record.message for record in caplog.records)
    here.source.poll()
    assert here.queue.dead_letters == []


def test_attributes_of_a_message_reach_the_handler_and_a_dead_letter(environment: Make) -> None:
    seen: list[Any] = []

    def handle(message: Message) -> None:
        seen.append(message.attributes)
        raise PoisonMessage("bad")

    here = environment(handle)
    here.queue.send({"id": 1}, attributes={"tenant": "a"})
    here.source.poll()
    assert seen == [{"tenant": "a"}]
    assert here.queue.dead_letters[0].delivery.native_attributes["tenant"]["StringValue"] == "a"

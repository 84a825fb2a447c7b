"""One handler, one worker, every broker: the same messages have the same outcomes."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryClaims
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE
from tests.runtime.test_broker_contract import BROKERS, ORDERED, SERVED, Rig, rig_of, sqs_by_moto

SCHEMA = {"properties": {"id": {"type": "string"}}, "required": ["id", "does"]}
LONGEST_BACK_OFF = 900


@pytest.fixture
def opened() -> Generator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=[*BROKERS, *SERVED], ids=lambda rig: getattr(rig, "__name__", rig))
def rig(request: pytest.FixtureRequest, opened: ExitStack) -> Rig:
    return opened.enter_context(rig_of(request))


# Moto looks at one message after the other while other threads release them, so that the rest of a group can slip out
# before its first; SQS and the strict server of the chaos runs answer a receive as a whole.
IN_ORDER = [rig for rig in ORDERED if rig is not sqs_by_moto]


@pytest.fixture(params=IN_ORDER, ids=lambda rig: rig.__name__)
def ordered(request: pytest.FixtureRequest, opened: ExitStack) -> Rig:
    return opened.enter_context(request.param(ordered=True))


class Handler:
    """The handler of every test here: a message says what becomes of it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.slow_runs = threading.Event()
        self.slow_ends = threading.Event()

    def __call__(self, message: Message) -> None:
        order, does = message.body["id"], message.body["does"]
        attempt = self.begun.count(order)
        self.begun.append(order)
        match does:
            case "refuse":
                raise PoisonMessage("unknown currency", detail="XXX")
            case "fail once" if attempt == 0:
                raise ValueError("the first attempt fails")
            case "wait once" if attempt == 0:
                raise Retry("not yet", after=30)
            case "fail":
                raise ValueError("every attempt fails")
            case "run long":
                self.slow_runs.set()
                assert self.slow_ends.wait(PATIENCE)
            case _:
                pass
        self.done.append(order)


def worker(rig: Rig, handle: Handler, *, claims: Claims | None = None, concurrency: int = 10) -> Worker:
    settings = Settings(
        worker_name="every", receive_wait=0, health_file=None, concurrency=concurrency, max_attempts=3, stop_timeout=60
    )
    return Worker(
        handle,
        gate=Gate(SCHEMA, idempotency_key="/id"),
        broker=rig.broker,
        settings=settings,
        claims=claims,
        metrics=Metrics("every", write=lambda _line: None),
    )


def drain(rig: Rig, handle: Handler, *, until: Callable[[], bool], claims: Claims | None = None) -> None:
    """Let the worker handle what is delivered, and time pass between, until a condition holds."""
    for _ in range(20):
        assert worker(rig, handle, claims=claims).run(until_empty=True) == 0
        if until():
            return
        rig.advance(LONGEST_BACK_OFF)
    raise AssertionError(f"begun {handle.begun}, done {handle.done}, dead letters {rig.dead_letters()}")


def send(rig: Rig, does: str, *orders: str, group: str | None = None) -> None:
    rig.fill(*(json.dumps({"id": order, "does": does}) for order in orders), group=group)


def dead(rig: Rig) -> dict[str, str]:
    """The reason of each dead letter, by the order or by the text."""
    letters: dict[str, str] = {}
    for text, reason in rig.dead_letters():
        try:
            letters[json.loads(text)["id"]] = reason
        except (ValueError, KeyError):
            letters[text] = reason
    return letters


def test_what_succeeds_is_handled_once(rig: Rig) -> None:
    orders = [f"o-{number}" for number in range(40)]
    send(rig, "work", *orders)
    handle = Handler()
    drain(rig, handle, until=lambda: len(handle.done) == 40)
    assert Counter(handle.done) == Counter(orders)
    assert rig.dead_letters() == []


def test_poison_is_a_dead_letter_with_its_reason_at_the_first_delivery(rig: Rig) -> None:
    rig.fill("{", '{"id": 1, "does": "work"}')
    send(rig, "refuse", "o-1")
    handle = Handler()
    drain(rig, handle, until=lambda: True)
    assert handle.begun == ["o-1"]
    reasons = dead(rig)
    assert reasons.pop("o-1") == "unknown currency"
    assert reasons.pop("{").startswith("not JSON")
    (other,) = reasons.values()
    assert other.startswith("schema: /properties/id/type")


def test_what_fails_is_tried_again_and_succeeds(rig: Rig) -> None:
    send(rig, "fail once", "o-1")
    send(rig, "work", "o-2")
    handle = Handler()
    drain(rig, handle, until=lambda: len(handle.done) == 2)
    assert Counter(handle.begun) == {"o-1": 2, "o-2": 1}
    assert rig.dead_letters() == []


def test_a_retry_comes_after_the_time_that_the_handler_asked_for(rig: Rig) -> None:
    send(rig, "wait once", "o-1")
    handle = Handler()
    worker(rig, handle).run(until_empty=True)
    assert (handle.begun, handle.done) == (["o-1"], [])
    rig.advance(15)
    worker(rig, handle).run(until_empty=True)
    assert handle.done == []
    rig.advance(16)
    drain(rig, handle, until=lambda: handle.done == ["o-1"])
    assert handle.begun == ["o-1", "o-1"]


def test_what_fails_at_every_attempt_is_given_up_with_its_reason(rig: Rig) -> None:
    send(rig, "fail", "o-1")
    handle = Handler()
    letters: dict[str, str] = {}
    drain(rig, handle, until=lambda: letters.update(dead(rig)) or bool(letters))
    assert handle.begun == ["o-1"] * 3
    assert letters.keys() == {"o-1"}
    assert letters["o-1"].startswith("failed")


def test_a_duplicate_has_no_second_effect(rig: Rig) -> None:
    send(rig, "work", "o-1", "o-2", "o-1")
    handle, claims = Handler(), MemoryClaims()
    drain(rig, handle, claims=claims, until=lambda: rig.take_all() == [])
    assert Counter(handle.done) == {"o-1": 1, "o-2": 1}


def test_a_group_keeps_its_order_while_its_first_fails(ordered: Rig) -> None:
    send(ordered, "fail once", "a-1", group="a")
    send(ordered, "work", "a-2", "a-3", group="a")
    send(ordered, "work", "b-1", group="b")
    handle = Handler()
    drain(ordered, handle, until=lambda: len(handle.done) == 4)
    assert [order for order in handle.done if order.startswith("a")] == ["a-1", "a-2", "a-3"]
    assert Counter(handle.begun) == {"a-1": 2, "a-2": 1, "a-3": 1, "b-1": 1}


def test_a_group_goes_on_after_its_poison(ordered: Rig) -> None:
    send(ordered, "refuse", "a-1", group="a")
    send(ordered, "work", "a-2", group="a")
    handle = Handler()
    drain(ordered, handle, until=lambda: handle.done == ["a-2"])
    assert dead(ordered) == {"a-1": "unknown currency"}


@contextmanager
def running(of: Worker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=of.run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        of.request_stop("the test is over")
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_stop_amid_work_ends_what_runs_and_releases_what_does_not(rig: Rig) -> None:
    send(rig, "run long", "o-1")
    handle = Handler()
    stopped = worker(rig, handle, concurrency=1)
    with running(stopped) as thread:
        assert handle.slow_runs.wait(PATIENCE)
        send(rig, "work", "o-2")
        stopped.request_stop("SIGTERM")
        handle.slow_ends.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert handle.done[0] == "o-1"
    drain(rig, handle, until=lambda: len(handle.done) == 2)
    assert Counter(handle.begun) == {"o-1": 1, "o-2": 1}


def test_a_slow_handler_keeps_its_message(rig: Rig) -> None:
    send(rig, "run long", "o-1")
    handle = Handler()
    with running(worker(rig, handle)):
        assert handle.slow_runs.wait(PATIENCE)
        handle.slow_ends.set()
    assert handle.begun == handle.done == ["o-1"]
    rig.advance(LONGEST_BACK_OFF)
    assert rig.take() == []

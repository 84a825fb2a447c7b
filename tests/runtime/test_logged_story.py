"""The log tells the story of a message that was not handled at once, and is silent about all others."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.handlers import logged
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.telemetry.exception_fields import exception_fields
from fargate_workers_runtime.testing import MemoryWorker

KEY = "ada@example.com"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level = root.level
    stream = io.StringIO()
    logs.configure("ApplyOrders", stream=stream)
    yield stream
    for handler in root.handlers[:]:
        if isinstance(handler, logs.LineHandler):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def story(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines of messages."""
    assert logs.flush()
    return [line for text in stream.getvalue().splitlines() if "message_id" in (line := json.loads(text))]


def fails_until(deliveries: int, error: BaseException) -> Any:
    def handle(message: Message) -> None:
        if message.receive_count < deliveries:
            raise error

    return handle


def test_a_message_that_is_handled_at_once_leaves_no_line_and_costs_no_digest(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_digest(_key: str) -> str:
        raise AssertionError("a digest was made, and nothing was logged")

    monkeypatch.setattr(logged, "logged_key", no_digest)
    worker = MemoryWorker(fails_until(0, ValueError()), idempotency_key="/customer")
    worker.send({"customer": KEY}, attributes={"tenant": "a"})

    worker.settle()

    assert len(worker.handled) == 1
    assert story(stream) == []


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_message_that_fails_and_then_succeeds_is_told_from_its_failure_to_its_end(
    stream: io.StringIO, fifo: bool
) -> None:
    worker = MemoryWorker(fails_until(2, TimeoutError("the carrier is down")), fifo=fifo)
    sent = worker.send({"order_id": "1"}, group_id="a" if fifo else None)

    worker.settle()

    lines = story(stream)
    assert [line["event"] for line in lines] == ["handler_failed", "released", "begins_again", "handled"]
    assert {line["message_id"] for line in lines} == {sent}
    assert {line["level"] for line in lines[1:]} == {"info"}
    failed, released, again, handled = lines
    assert (failed["error"], failed["attempt"], failed["receive_count"]) == ("TimeoutError", 1, 1)
    assert failed["sent_at"].endswith("Z")
    assert released["seconds"] > 0
    assert (again["attempt"], again["receive_count"], handled["receive_count"]) == (2, 2, 2)
    # The key is the message's id here.
    assert not any("key" in line for line in lines)


def test_a_message_that_asks_for_another_attempt_is_told_too(stream: io.StringIO) -> None:
    worker = MemoryWorker(fails_until(2, Retry("not yet")))
    worker.send({})

    worker.settle()

    assert [line["event"] for line in story(stream)] == ["retry", "released", "begins_again", "handled"]


def test_a_message_whose_process_died_is_told_at_its_next_delivery(stream: io.StringIO) -> None:
    worker = MemoryWorker(fails_until(0, ValueError()))
    worker.send({})
    worker.queue.receive(1, wait=0, lease=30)  # by a process that died and logged nothing
    worker.wait(31)

    worker.settle()

    assert [line["event"] for line in story(stream)] == ["begins_again", "handled"]


def test_a_message_that_dies_has_a_last_line_with_its_reason(stream: io.StringIO) -> None:
    def handle(_message: Message) -> None:
        raise PoisonMessage("the amount is negative")

    worker = MemoryWorker(handle, idempotency_key="/customer")
    worker.send({"customer": KEY})

    worker.settle()

    (line,) = story(stream)
    assert (line["event"], line["reason"]) == ("poison", "the amount is negative")
    assert line["sent_at"].endswith("Z")


@pytest.mark.parametrize(
    "attributes",
    [
        {"replay.first": "first", "replay.of": "letter", "replay.at": "2026-01-01T00:00:00Z"},
        {"dlq.originalMessageId": "first", "dlq.reason": "failed 10 times"},
    ],
    ids=["replay", "redrive"],
)
def test_a_dead_letter_that_came_back_is_told_although_it_is_a_new_message(
    stream: io.StringIO, attributes: dict[str, str]
) -> None:
    worker = MemoryWorker(fails_until(0, ValueError()))
    worker.send({}, attributes=attributes)

    worker.settle()

    lines = story(stream)
    assert [line["event"] for line in lines] == ["begins_again", "handled"]
    assert {line["replay_of"] for line in lines} == {"first"}


@pytest.mark.parametrize("in_full", [False, True])
def test_a_key_is_a_digest_in_the_log_unless_the_log_may_have_all(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, in_full: bool
) -> None:
    monkeypatch.setattr(exception_fields, "with_text", in_full)

    def handle(message: Message) -> None:
        logging.getLogger("shop").info("shipped")
        fails_until(2, ValueError("broken"))(message)

    worker = MemoryWorker(handle, idempotency_key="/customer")
    worker.send({"customer": KEY})

    worker.settle()

    lines = story(stream)
    digest = "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()[:16]
    assert {line["event"] for line in lines} >= {"handler_failed", "handled", "shipped"}
    assert {line["key"] for line in lines if line["event"] != "released"} == {KEY if in_full else digest}
    assert (KEY in stream.getvalue()) is in_full

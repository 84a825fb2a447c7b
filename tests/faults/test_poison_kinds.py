"""Every kind of poison, through a real queue's limits: one delivery, a dead letter, a reason."""

import json
import resource
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.sqs.models import Message as Stored

from fargate_workers_runtime import Message, run_once
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryQueue
from tests.faults.rig import Rig, until

# Less than SQS carries, so that a larger message can be sent.
LIMIT = 256 * 1024
SETTINGS = Settings(worker_name="test", queue_url="sqs", receive_wait=0, health_file=None, max_message_bytes=LIMIT)
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}

KINDS = {
    "{": "not JSON",
    '"\\ud800"': "invalid unicode",
    "[" * 200_000: "nested too deep",
    '{"order_id": ' + "9" * 5_000 + "}": "number out of range",
    '{"order_id": 1e999}': "number out of range",
    '{"order_id": 4711}': "schema: /properties/order_id/type",
    '{"order": "1"}': "schema: /required",
    '{"order_id": "\\u0000", "order_id": 1}': "schema: /properties/order_id/type",
    json.dumps({"order_id": "x" * LIMIT}): "too large",
}


def worked_off(rig: Rig) -> list[Message]:
    """Run a worker until the queue is empty; returns what was handled."""
    handled: list[Message] = []
    queue = SqsBroker(rig.server.sqs, rig.url, dead_letter_queue_url=rig.dead_letter_url)
    assert run_once(handled.append, queue=queue, schema=SCHEMA, idempotency_key="/order_id", settings=SETTINGS) == 0
    return handled


def said(letter: Stored, name: str) -> Any:
    return letter.message_attributes[f"dlq.{name}"]["StringValue"]


@pytest.mark.fault(21)
def test_each_kind_of_poison_is_a_dead_letter_with_its_reason_after_one_delivery(rig: Rig) -> None:
    sent = {rig.send(text=text).id: text for text in KINDS}
    assert worked_off(rig) == []
    assert rig.empty
    reasons = {sent[said(letter, "originalMessageId")]: said(letter, "reason") for letter in rig.dead_letters}
    assert reasons == KINDS
    assert {said(letter, "receiveCount") for letter in rig.dead_letters} == {"1"}
    assert {letter.body for letter in rig.dead_letters} == set(KINDS)


texts = st.text(st.characters(codec="utf-8"), max_size=50) | st.sampled_from(sorted(KINDS, key=len)[:6])
almost_orders = st.fixed_dictionaries({}, optional={"order_id": st.none() | st.integers() | st.text(max_size=5)})


@pytest.mark.fault(21)
@given(st.lists(texts | almost_orders.map(json.dumps), min_size=1, max_size=10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_is_handled_once_or_dead_with_a_reason_after_one_delivery(bodies: list[str]) -> None:
    queue, handled = MemoryQueue(bodies), list[Message]()
    assert run_once(handled.append, queue=queue, schema=SCHEMA, idempotency_key="/order_id") == 0
    assert queue.empty
    ended = [message.raw for message in handled] + [letter.delivery.text for letter in queue.dead_letters]
    assert sorted(ended) == sorted(bodies)
    assert all(letter.reason and letter.delivery.receive_count == 1 for letter in queue.dead_letters)


@pytest.mark.fault(22)
def test_a_body_at_the_limit_passes_and_one_byte_more_is_poison(rig: Rig) -> None:
    for extra in (0, 1):
        around = len(json.dumps({"order_id": "1", "note": ""}))
        rig.send(text=json.dumps({"order_id": "1", "note": "x" * (LIMIT - around + extra)}))
    (message,) = worked_off(rig)
    assert len(message.raw) == LIMIT
    (letter,) = rig.dead_letters
    assert said(letter, "reason") == "too large"
    assert said(letter, "error") == f"{LIMIT + 1} bytes; at most {LIMIT} pass"


@pytest.mark.fault(22)
def test_a_body_as_large_as_sqs_carries_beside_a_reason_reaches_the_dead_letter_queue_whole(rig: Rig) -> None:
    text = "x" * (1024 * 1024 - 2048)
    rig.send(text=text)
    assert worked_off(rig) == []
    (letter,) = rig.dead_letters
    assert (letter.body, said(letter, "reason"), rig.empty) == (text, "too large", True)


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    "text", ["\ufffd", "\u202egnirts", "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "\x7f", "\ufeff", "\t\r\n"]
)
def test_characters_that_are_only_odd_reach_the_handler_unchanged(rig: Rig, text: str) -> None:
    rig.send(text=json.dumps({"order_id": text}, ensure_ascii=False))
    assert [message.body for message in worked_off(rig)] == [{"order_id": text}]


@pytest.mark.fault(23)
def test_what_only_an_escape_can_carry_reaches_the_handler_too(rig: Rig) -> None:
    rig.send(text='{"order_id": "\\u0000\\uffff\\ufffe"}')
    assert [message.body for message in worked_off(rig)] == [{"order_id": "\x00\uffff\ufffe"}]


def little_memory() -> None:
    """Room for the worker's threads, and not for more."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))


@pytest.mark.fault(23)
def test_a_worker_with_little_memory_buries_them_all_and_works_on(rig: Rig) -> None:
    bombs = [
        "[" * 250_000,
        '{"a":' * 40_000,
        "[" + "{}," * 80_000 + "{}]",
        "[" + "9" * 250_000 + "]",
        "\u202e" * 80_000,
        '"' + "\\ud800" * 40_000 + '"',
    ]
    for bomb in bombs:
        rig.send(text=bomb)
    rig.send("1")
    process = rig.start("worker", prepare=little_memory, CONCURRENCY="4")
    until(lambda: rig.empty)
    assert process.stop() == 0
    assert rig.effects("1") == 1
    assert len(rig.dead_letters) == len(bombs)
    assert all(said(letter, "receiveCount") == "1" for letter in rig.dead_letters)

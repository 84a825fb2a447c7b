"""Payloads that are not JSON, for handlers that ask for them."""

import base64
import gzip
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from fargate_workers_runtime import Message, PoisonMessage, run_once
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.claims.protocol import fingerprint
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.handlers.payloads import Body, decoded
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryQueue, MemoryWorker


def notification(text: str, **more: Any) -> str:
    """`text` as SNS delivers it when raw delivery is off."""
    attributes = {"tenant": {"Type": "String", "Value": "a"}}
    envelope = {"Type": "Notification", "TopicArn": "arn:topic", "Message": text, "MessageAttributes": attributes}
    return json.dumps({**envelope, **more})


def opened(text: str, body: Body) -> Message:
    message = Gate(body=body).open(Delivery(id="1", text=text, token="r"))
    assert message is not None
    return message


def bodies(messages: list[Message]) -> list[Any]:
    return [message.body for message in messages]


@pytest.mark.parametrize("text", ["<order id='1'/>", "plain\nwords", "{", "", '{"order_id": "1"}', "\u20ac"])
def test_text_is_as_it_was_sent_with_and_without_the_envelope_of_sns(text: str) -> None:
    assert opened(text, "text").body == text
    enveloped = opened(notification(text), "text")
    assert (enveloped.body, enveloped.raw) == (text, notification(text))
    assert dict(enveloped.attributes) == {"topic": "arn:topic", "tenant": "a"}


@pytest.mark.parametrize("text", ['{"TopicArn": 1', '{"TopicArn": 1}', '["TopicArn"]', '"TopicArn"'])
def test_what_only_looks_like_an_envelope_is_text(text: str) -> None:
    assert opened(text, "text").body == text


def test_bytes_are_what_base64_stands_for_of_either_alphabet_and_in_lines() -> None:
    sent = bytes(range(256))
    for text in (
        base64.b64encode(sent).decode(),
        base64.urlsafe_b64encode(sent).decode(),
        base64.encodebytes(sent).decode(),
        notification(base64.b64encode(sent).decode()),
    ):
        assert opened(text, "bytes").body == sent


@pytest.mark.parametrize("text", ["{}", "abc", "a=bc", "\u20ac"])
def test_what_is_no_base64_is_poison(text: str) -> None:
    with pytest.raises(PoisonMessage) as poison:
        decoded(text)
    assert poison.value.reason == "not base64"


def test_gzip_xml_and_a_key_of_ones_own_through_a_whole_worker() -> None:
    orders: list[str | None] = []

    def handle(message: Message) -> None:
        orders.append(ElementTree.fromstring(gzip.decompress(message.body)).get("id"))

    worker = MemoryWorker(handle, body="bytes", idempotency_key=lambda message: fingerprint(message.body))
    for order in ("1", "1", "2"):
        worker.send(gzip.compress(f"<order id='{order}'/>".encode(), mtime=0))
    worker.run()
    assert orders == ["1", "2"]
    assert worker.queue.empty


def test_run_once_hands_text_on() -> None:
    seen: list[Message] = []
    run_once(seen.append, queue=MemoryQueue(["<a/>", "<b/>"]), body="text")
    assert bodies(seen) == ["<a/>", "<b/>"]


def test_a_text_is_measured_and_must_be_unicode_as_any_other() -> None:
    small = Gate(body="text", max_bytes=10)
    for text, reason in (("x" * 11, "too large"), ("\ud800", "invalid unicode")):
        with pytest.raises(PoisonMessage) as poison:
            small.open(Delivery(id="1", text=text, token="r"))
        assert poison.value.reason == reason
    with pytest.raises(PoisonMessage) as poison:
        opened(notification("\ud800"), "text")
    assert poison.value.reason == "invalid unicode"


def test_the_same_bytes_are_the_same_payload_and_others_are_not() -> None:
    assert fingerprint(b"a") == fingerprint(b"a") != fingerprint(b"b")
    assert fingerprint("a") != fingerprint(b"a")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"body": "xml"}, "^body is 'xml'; make it one of json, text, bytes.$"),
        ({"body": "text", "schema": {}}, 'leave schema out, or body="text"'),
        ({"body": "bytes", "idempotency_key": "/id"}, "make idempotency_key a function"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(options: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Gate(**options)


def test_a_workers_limit_is_the_gates() -> None:
    queue = MemoryQueue(['"1234567890"'])
    settings = Settings(worker_name="t", queue_url="memory", receive_wait=0, health_file=None, max_message_bytes=10)
    run_once(print, queue=queue, settings=settings)
    assert [(letter.reason, letter.detail) for letter in queue.dead_letters] == [
        ("too large", "12 bytes; at most 10 pass")
    ]

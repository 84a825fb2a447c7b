"""What passes the gate, and the reason for what does not."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_workers_runtime import Message, PoisonMessage
from fargate_workers_runtime.gate import MAX_DEPTH, Gate
from fargate_workers_runtime.queue import Received

SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}


def received(text: str, **fields: Any) -> Received:
    return Received(id="id-1", text=text, receipt="receipt-1", **fields)


def opened(text: str, gate: Gate | None = None) -> Message:
    return (gate or Gate()).open(received(text))


def refused(text: str, gate: Gate | None = None) -> PoisonMessage:
    with pytest.raises(PoisonMessage) as poison:
        opened(text, gate)
    return poison.value


def test_a_message_carries_what_the_queue_said() -> None:
    attributes = {
        "tenant": {"DataType": "String", "StringValue": "a"},
        "blob": {"DataType": "Binary", "BinaryValue": b"x"},
    }
    message = Gate().open(received('{"a": 1}', receive_count=3, group_id="g", sent_at=0.0, attributes=attributes))
    assert message.body == {"a": 1}
    assert message.attributes == {"tenant": "a"}
    assert (message.receive_count, message.attempt, message.group_id) == (3, 3, "g")
    assert message.sent_at is not None
    assert message.sent_at.isoformat() == "1970-01-01T00:00:00+00:00"
    assert message.idempotency_key == "id-1"


def test_a_messages_repr_keeps_the_content_to_itself() -> None:
    assert "secret" not in repr(opened('{"a": "secret"}'))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("NaN", "not JSON"),
        ("-Infinity", "not JSON"),
        ('"\ud800"', "invalid unicode"),
        ('"\\ud800"', "invalid unicode"),
        ('{"\\udfff": 1}', "invalid unicode"),
        ("1" * 5_000, "number out of range"),
        ("1e999", "number out of range"),
        ("[" * 200_000, "nested too deep"),
        ("[" * 101 + "]" * 101, "nested too deep"),
        ('{"a":' * 50_000, "nested too deep"),
        ('"' + "x" * 256 * 1024 + '"', "too large"),
        ('"' + "\u20ac" * 100_000 + '"', "too large"),
    ],
)
def test_what_no_handler_should_see_is_refused_with_a_reason_in_bounded_time(text: str, reason: str) -> None:
    began = time.process_time()
    assert refused(text).reason == reason
    assert time.process_time() - began < 0.5


def test_json_at_the_limits_passes() -> None:
    assert opened('"' + "x" * (256 * 1024 - 2) + '"')
    assert opened("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert opened('"' + "[" * 500 + '"').body == "[" * 500
    assert opened('"\\ud83d\\ude00"').body == "\U0001f600"


@given(st.text(alphabet=st.characters(codec=None)) | st.binary().map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=300)
def test_any_text_either_passes_as_its_json_or_is_poison(text: str) -> None:
    try:
        message = opened(text)
    except PoisonMessage:
        return
    assert message.body == json.loads(text)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), children, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
@settings(max_examples=200)
def test_any_honest_json_passes_unchanged(value: Any) -> None:
    assert opened(json.dumps(value)).raw == json.dumps(value)


@given(json_values)
@settings(max_examples=200)
def test_the_schema_decides_and_never_breaks(value: Any) -> None:
    fits = isinstance(value, dict) and isinstance(value.get("order_id"), str)
    if fits:
        assert opened(json.dumps(value), Gate(SCHEMA)).body == value
    else:
        assert refused(json.dumps(value), Gate(SCHEMA)).reason.startswith("schema: /")


def test_the_reason_names_the_rule_and_the_detail_the_place_without_the_value() -> None:
    poison = refused('{"order_id": 4711}', Gate(SCHEMA))
    assert poison.reason == "schema: /properties/order_id/type"
    assert poison.detail == '/order_id: the value is not of type "string"'


def test_a_huge_integer_is_compared_not_crashed_on() -> None:
    gate = Gate({"type": "integer", "maximum": 10})
    assert refused("9" * 4_000, gate).reason in ("schema: /maximum", "number out of range")


def test_a_wrong_schema_fails_at_the_start() -> None:
    with pytest.raises(ValueError, match="The schema is not valid"):
        Gate({"type": "strnig"})


def test_an_sns_envelope_is_taken_off() -> None:
    envelope = {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:eu-west-1:1:orders",
        "Message": '{"order_id": "1"}',
        "MessageAttributes": {"tenant": {"Type": "String", "Value": "a"}},
    }
    message = opened(json.dumps(envelope), Gate(SCHEMA))
    assert message.body == {"order_id": "1"}
    assert message.attributes == {"topic": "arn:aws:sns:eu-west-1:1:orders", "tenant": "a"}


def event(detail: Any) -> dict[str, Any]:
    return {
        "id": "e",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-01-31T12:00:00Z",
        "detail": detail,
    }


def test_an_eventbridge_envelope_is_taken_off() -> None:
    message = opened(json.dumps(event({"order_id": "1"})), Gate(SCHEMA))
    assert message.body == {"order_id": "1"}
    assert message.attributes["detail-type"] == "Object Created"
    assert message.attributes["source"] == "aws.s3"


def test_an_event_that_came_through_a_topic_is_taken_out_of_both() -> None:
    inner = json.dumps(event({"order_id": "1"}))
    assert opened(json.dumps({"Type": "Notification", "TopicArn": "t", "Message": inner})).body == {"order_id": "1"}


def test_what_sns_carries_passes_the_same_checks() -> None:
    assert refused(json.dumps({"Type": "Notification", "TopicArn": "t", "Message": "{"})).reason == "not JSON"


def test_the_idempotency_key_is_looked_up_by_pointer() -> None:
    gate = Gate(idempotency_key="/lines/0/a~1b")
    assert opened('{"lines": [{"a/b": 7}]}', gate).idempotency_key == "7"


def test_the_idempotency_key_may_be_a_function() -> None:
    gate = Gate(idempotency_key=lambda message: f"{message.body['x']}-{message.id}")
    assert opened('{"x": 1}', gate).idempotency_key == "1-id-1"


@pytest.mark.parametrize(
    "body", ['{"order_id": null}', '{"order_id": true}', '{"order_id": ""}', "{}", "[]", "3", '{"order_id": 1.5}']
)
def test_a_message_without_its_key_is_poison(body: str) -> None:
    assert refused(body, Gate(idempotency_key="/order_id")).reason == "no idempotency key"


def test_a_key_that_no_table_takes_is_poison() -> None:
    text = json.dumps({"order_id": "x" * 1025})
    assert refused(text, Gate(idempotency_key="/order_id")).reason == "no idempotency key"


def test_a_pointer_without_its_slash_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="write it as '/order_id'"):
        Gate(idempotency_key="order_id")

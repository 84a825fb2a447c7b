"""What passes the gate, and the reason for what does not."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_workers_runtime import Message, PoisonMessage
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.handlers.gate import MAX_DEPTH, Gate

SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}


def received(text: str, **fields: Any) -> Delivery:
    return Delivery(id="id-1", text=text, token="receipt-1", **fields)


def opened(text: str, gate: Gate | None = None) -> Message:
    message = (gate or Gate()).open(received(text))
    assert message is not None
    return message


def refused(text: str, gate: Gate | None = None) -> PoisonMessage:
    with pytest.raises(PoisonMessage) as poison:
        opened(text, gate)
    return poison.value


def test_a_message_carries_what_the_broker_said() -> None:
    delivery = received('{"a": 1}', receive_count=3, group_id="g", sent_at=0.0, attributes={"tenant": "a"})
    message = Gate().open(delivery)
    assert message is not None
    assert message.body == {"a": 1}
    assert message.attributes == {"tenant": "a"}
    assert (message.receive_count, message.attempt, message.group_id) == (3, 3, "g")
    assert message.sent_at is not None
    assert message.sent_at.isoformat() == "1970-01-01T00:00:00+00:00"
    assert (message.idempotency_key, message.receipt) == ("id-1", "receipt-1")


def test_a_messages_repr_keeps_the_content_to_itself() -> None:
    assert "secret" not in repr(opened('{"a": "secret"}'))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('"\x00"', "not JSON"),
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
        ('"' + "x" * 1024 * 1024 + '"', "too large"),
        ('"' + "\u20ac" * 400_000 + '"', "too large"),
    ],
)
def test_what_no_handler_should_see_is_refused_with_a_reason_in_bounded_time(text: str, reason: str) -> None:
    began = time.process_time()
    assert refused(text).reason == reason
    assert time.process_time() - began < 0.5


def test_json_at_the_limits_passes() -> None:
    assert opened('"' + "x" * (1024 * 1024 - 2) + '"')
    assert opened("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert opened('"' + "[" * 500 + '"').body == "[" * 500
    assert opened('"\\ud83d\\ude00"').body == "\U0001f600"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6,
        "[" * 10**6 + "]" * 10**6,
        '{"a":' * 10**6 + "1" + "}" * 10**6,
        json.dumps({"Type": "Notification", "TopicArn": "t", "Message": "[" * 10**6}),
    ],
    ids=["open", "closed", "objects", "inside SNS"],
)
def test_a_million_levels_cost_no_more_than_the_text_itself(text: str) -> None:
    gate = Gate(max_bytes=10**8)
    tracemalloc.start()
    began = time.process_time()
    try:
        assert refused(text, gate).reason == "nested too deep"
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 1
    assert most < 3 * len(text)


@pytest.mark.parametrize(
    "value", ["\x00", "\uffff", "\u202eright to left", "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "\ufeff", "\x7f"]
)
def test_characters_that_are_only_odd_pass_as_they_are(value: str) -> None:
    assert opened(json.dumps({"order_id": value}), Gate(SCHEMA)).body == {"order_id": value}


def test_of_a_name_given_twice_the_last_is_what_is_checked_claimed_and_handled() -> None:
    gate = Gate(SCHEMA, idempotency_key="/order_id")
    message = opened('{"order_id": "1", "order_id": "2"}', gate)
    assert (message.body, message.idempotency_key) == ({"order_id": "2"}, "2")
    assert refused('{"order_id": "1", "order_id": 2}', gate).reason == "schema: /properties/order_id/type"


def test_a_pattern_that_could_backtrack_for_ever_is_given_up() -> None:
    began = time.process_time()
    assert refused(json.dumps("a" * 200_000 + "c"), Gate({"pattern": "^(a+)+(?=b)$"})).reason == "schema: /pattern"
    assert time.process_time() - began < 1


any_text = st.text(st.characters(codec=None)) | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))

TOKENS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "\\ud800",
    "\\u0000",
    "1e999",
    "9" * 5_000,
    "NaN",
    "null",
    "-",
    " ",
    "\ufeff",
]
almost_json = st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)

NAMES = [
    "Type",
    "TopicArn",
    "Message",
    "Records",
    "s3",
    "object",
    "key",
    "detail",
    "detail-type",
    "id",
    "source",
    "time",
]
WORDS = ["Notification", "s3:TestEvent", "Amazon S3", "%ff", "a+b", "{", "[[]]", ""]
almost_envelope = st.recursive(
    st.none() | st.integers() | st.sampled_from(WORDS),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "Event", "Service", "MessageAttributes"]), inside, max_size=8)
    ),
    max_leaves=30,
).map(json.dumps)


@given(any_text | almost_json | almost_envelope)
@settings(max_examples=600)
def test_whatever_arrives_is_a_message_nothing_or_poison(text: str) -> None:
    for gate in (Gate(), Gate(SCHEMA, idempotency_key="/order_id")):
        try:
            message = gate.open(received(text))
        except PoisonMessage:
            continue
        assert message is None or message.raw == text


@given(any_text)
@settings(max_examples=300)
def test_what_has_no_envelope_passes_as_its_json_or_not_at_all(text: str) -> None:
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


def notification(*keys: str) -> dict[str, Any]:
    """As Amazon S3 itself sends it, shortened."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventTime": "2026-01-31T12:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "files"}, "object": {"key": key, "size": 1, "sequencer": "0055"}},
            }
            for key in keys
        ]
    }


def test_an_s3_notification_is_taken_off_and_its_key_decoded() -> None:
    message = opened(json.dumps(notification("incoming/a+b%2B%C3%BC%2520.csv")))
    assert message.body["s3"] == {
        "bucket": {"name": "files"},
        "object": {"key": "incoming/a b+\u00fc%20.csv", "size": 1, "sequencer": "0055"},
    }
    assert message.attributes == {
        "eventSource": "aws:s3",
        "eventTime": "2026-01-31T12:00:00.000Z",
        "eventName": "ObjectCreated:Put",
    }


def test_an_s3_notification_that_came_through_a_topic_is_taken_out_of_both() -> None:
    envelope = {"Type": "Notification", "TopicArn": "t", "Message": json.dumps(notification("a+b"))}
    message = opened(json.dumps(envelope), Gate(idempotency_key="/s3/object/key"))
    assert (message.idempotency_key, message.attributes["topic"]) == ("a b", "t")


def test_an_s3_event_that_came_through_eventbridge_keeps_its_key_which_is_not_encoded() -> None:
    assert opened(json.dumps(event({"object": {"key": "a+b%20"}}))).body == {"object": {"key": "a+b%20"}}


def test_an_s3_notification_of_two_objects_is_poison_for_one_key_cannot_name_both() -> None:
    assert refused(json.dumps(notification("a", "b"))).reason == "more than one record"


def test_an_s3_key_that_is_no_utf_8_is_poison() -> None:
    assert refused(json.dumps(notification("%ff"))).reason == "invalid unicode"


@pytest.mark.parametrize("s3", [{}, {"object": None}, {"object": {"key": 1}}, None, "s3"])
def test_an_s3_notification_without_a_key_is_left_to_the_schema(s3: Any) -> None:
    assert opened(json.dumps({"Records": [{"s3": s3}]})).body == {"s3": s3}


@pytest.mark.parametrize("records", [[], [{"dynamodb": {}}], {}, None, [None, 1]])
def test_records_of_another_kind_are_the_payload(records: Any) -> None:
    assert opened(json.dumps({"Records": records})).body == {"Records": records}


def test_the_test_event_of_s3_holds_nothing_to_handle() -> None:
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "files"}
    through_a_topic = {"Type": "Notification", "TopicArn": "t", "Message": json.dumps(test_event)}
    gate = Gate(SCHEMA, idempotency_key="/order_id")
    assert gate.open(received(json.dumps(test_event))) is None
    assert gate.open(received(json.dumps(through_a_topic))) is None


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


def test_a_key_may_be_a_whole_number_from_a_function_too() -> None:
    assert opened('{"id": 7}', Gate(idempotency_key=lambda message: message.body["id"])).idempotency_key == "7"
    assert refused('{"id": true}', Gate(idempotency_key=lambda message: message.body["id"])).detail == "TypeError"


def test_a_coroutine_function_is_no_key() -> None:
    async def key(message: Message) -> str:
        return message.id

    with pytest.raises(ValueError, match="remove its async"):
        Gate(idempotency_key=key)  # type: ignore[arg-type]

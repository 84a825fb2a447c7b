"""The filter of dead letters: what it chooses, and where it says a mistake is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_toolkit.operations.dead_letters.where import Filter, FilterError
from fargate_workers_toolkit.operations.sources import DeadLetter

NOW = 1_000_000.0


def letter(body: Any = None, **fields: Any) -> DeadLetter:
    values: dict[str, Any] = {
        "id": "m-1",
        "body": body if isinstance(body, str) else json.dumps(body),
        "reason": "schema: /amount",
        "error": "-3 is less than 0",
        "group": None,
        "died_at": NOW - 3_600,
        "receives": 2,
        "original_id": "m-0",
        "attributes": {"tenant": "blue", "x-y": "1"},
        "token": "",
        "native": None,
    }
    return DeadLetter(**{**values, **fields})


BODY = {"amount": 12, "paid": True, "note": None, "customer": {"name": "Ada"}, "lines": [{"sku": "a"}, {"sku": "b"}]}


@pytest.mark.parametrize(
    "text",
    [
        'reason == "schema*"',
        "reason == 'schema: /amount'",
        'reason == "schema*" and body.amount > 0 and age < 2h',
        'body.customer.name == "Ada"',
        'body.customer["name"] != "Bob"',
        'body.lines[1].sku == "b"',
        'body.lines[-1].sku == "b"',
        "body.paid",
        "body.paid == true",
        "not body.note",
        "body.note == null",
        "not body.nothing.there",
        "body.amount >= 12 and body.amount <= 12.0",
        "0 < body.amount",
        "age == 1h",
        "age > 59m or age > 1d",
        'attributes.tenant == "blue"',
        'attributes["x-y"] == "1"',
        'reason in ("timeout", "schema*")',
        "body.amount in [1, 12]",
        'body == "*Ada*"',
        "receives > 1",
        'id == "m-1" and original_id == "m-0"',
        "not (age > 2h or receives > 5)",
        "size > 10",
        'group == null or group == "g"',
        'body.nothing != "x"',
    ],
)
def test_these_choose_the_letter(text: str) -> None:
    assert Filter.parse(text).matches(letter(BODY), now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        'reason == "timeout"',
        'reason == "schema"',
        'body.amount > "0"',
        "body.amount > 12",
        "body.paid > 0",
        "body.paid == 1",
        "body.nothing > 0",
        "body.nothing == null",
        'body.lines[7].sku == "b"',
        'body.amount[0] == "b"',
        "age < 30m",
        'reason == "schema*" and age > 2h',
        r'reason == "schema\*"',
        'not reason == "schema*"',
    ],
)
def test_these_do_not(text: str) -> None:
    assert not Filter.parse(text).matches(letter(BODY), now=NOW)


def test_a_body_that_is_no_json_is_compared_as_text() -> None:
    assert Filter.parse('body == "<order>*"').matches(letter("<order>\n1</order>"), now=NOW)
    assert not Filter.parse("body.amount > 0").matches(letter("<order>1</order>"), now=NOW)


@pytest.mark.parametrize("reason", ['it says "no" and isn\'t JSON', r"C:\*", r"a \"quote\"", "*", "\\"])
def test_the_filter_of_a_reason_takes_that_reason_alone(reason: str) -> None:
    read = Filter.parse(Filter.of_reason(reason))

    assert read.matches(letter(reason=reason), now=NOW)
    assert not read.matches(letter(reason=reason.replace("*", "+").replace("a", "b") + "!"), now=NOW)


def test_a_star_is_meant_literally_behind_a_backslash() -> None:
    assert Filter.parse(r'reason == "5 \* 5"').matches(letter(reason="5 * 5"), now=NOW)
    assert not Filter.parse(r'reason == "5 \* 5"').matches(letter(reason="5 + 5"), now=NOW)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("reason = 1", 8, "“=” is not expected here; write “==”."),
        ('reason == "a" && age < 2h', 15, "“&&” is not expected here; write “and”."),
        ("reson == 'a'", 1, "there is no field “reson”; did you mean “reason”?"),
        ("age < 2", 7, "an age is compared with a duration such as 90s, 15m, 2h or 3d."),
        ("2 > age", 1, "an age is compared with a duration such as 90s, 15m, 2h or 3d."),
        ("body.amount > 2h", 15, "“2h” is a duration; only age is compared with one."),
        ("reason == ", 11, "the end is not expected here; write a field such as reason, or a value."),
        ('reason == "schema', 11, 'the text that begins here has no closing ".'),
        ("(age < 2h", 10, "the end is not expected here; write “)”."),
        ("age < 2h age", 10, "“age” is not expected here; write and, or."),
        ("", 1, 'the filter is empty; write, for example, reason == "schema*".'),
        ("reason.x == 1", 7, "“reason” has no parts; only body and attributes have."),
        ("body.1 == 1", 6, '“1” is not expected here; write body["1"].'),
        ("body[x] == 1", 6, "“x” is not expected here; write a text or a whole number."),
        ("id in (reason)", 8, "“reason” is not expected here; name values"),
        ('"a"', 4, "the end is not expected here; write a comparison such as ==."),
        ("and", 1, "“and” is not expected here; write a field such as reason, or a value."),
        ("(" * 60 + "age < 2h" + ")" * 60, 51, "more than 50 conditions inside each other; write it flatter."),
    ],
)
def test_a_mistake_is_named_with_its_position(text: str, position: int, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter.parse(text)

    assert caught.value.position == position
    assert f"at position {position}: " in str(caught.value)
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_position(text: str) -> None:
    try:
        read = Filter.parse(text)
    except FilterError as error:
        assert 1 <= error.position <= len(text) + 1  # noqa: PT017
    else:
        read.matches(letter(BODY), now=NOW)


WORDS = [
    "reason",
    "body",
    ".x",
    "[0]",
    "==",
    "<",
    "(",
    ")",
    "and",
    "or",
    "not",
    "in",
    '"a*"',
    "2h",
    "7",
    "age",
    ",",
    "null",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_any_order_of_words_is_read_or_refused(words: list[str]) -> None:
    try:
        read = Filter.parse(" ".join(words))
    except FilterError:
        return
    read.matches(letter(BODY), now=NOW)

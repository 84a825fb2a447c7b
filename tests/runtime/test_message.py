"""A message as a handler sees it, from its delivery to its handler's begin."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from fargate_workers_runtime.message import Message


def test_a_message_that_has_begun_is_what_replacing_the_parts_makes_and_leaves_the_other_as_it_was() -> None:
    message = Message(id="m-1", body={"order_id": "1"}, raw="{}", attributes={"key": "o"}, attempt=2)
    parts: dict[str, Any] = {
        "deadline": datetime.now(UTC),
        "transaction": lambda _items: None,
        "effect": lambda _connection: None,
    }
    begun = message.begun(**parts)
    expected = replace(message, **parts)
    assert begun == expected
    assert type(begun) is Message
    for field in fields(Message):
        assert getattr(begun, field.name) == getattr(expected, field.name)
    assert (message.deadline, message.transaction, message.effect) == (None, None, None)
    assert hasattr(begun, "__dict__"), "begun() fills it"

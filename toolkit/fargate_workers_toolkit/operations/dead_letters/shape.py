"""The shape of a message: its keys and the kinds of its values, without the values."""

import json
from collections.abc import Mapping
from typing import Any, cast


def shape(body: str) -> str:
    """Describe a body without its values.

        >>> shape('{"amount": 12, "name": "Ada"}')
        '{"amount": "number", "name": "text of 3"}'
        >>> shape("<order/>")
        'text of 8'

    Args:
        body: The body.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return f"text of {len(body)}"
    return json.dumps(_shape(value), ensure_ascii=False)


def _shape(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _shape(each) for key, each in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        items = cast("list[object]", value)
        first = [_shape(items[0])] if items else []
        return [*first, f"and {len(items) - 1} more"] if len(items) > 1 else first
    if isinstance(value, bool):
        return "true or false"
    if value is None:
        return None
    return f"text of {len(value)}" if isinstance(value, str) else "number"

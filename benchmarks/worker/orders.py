"""The messages of the benchmark: orders of about 200 bytes, good ones and bad ones."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, cycle
from typing import Any

ORDER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["order_id", "customer", "items"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "customer": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
            },
        },
    },
}

#: One of each kind of poison: what no handler should ever see.
POISON: Mapping[str, str] = {
    "not_json": '{"order_id": "1", "customer":',
    "wrong_shape": json.dumps({"order_id": 1, "customer": {"id": "one"}, "items": []}),
    "too_large": json.dumps({"order_id": "large", "customer": {"id": 1}, "items": [], "note": "x" * 300 * 1024}),
    "invalid_unicode": '{"order_id": "\\ud800", "customer": {"id": 1}, "items": [{"sku": "A-1", "quantity": 1}]}',
    "deep_nesting": "[" * 50_000 + "]" * 50_000,
}


def order(number: int) -> dict[str, Any]:
    """The order of that number; its `order_id` is its own."""
    return {
        "order_id": f"order-{number:06}",
        "customer": {"id": 4_200 + number, "email": f"customer{number}@example.com"},
        "items": [{"sku": "A-1001", "quantity": 2}, {"sku": "B-2002", "quantity": 1}],
        "placed_at": "2026-01-01T00:00:00Z",
    }


def orders(many: int) -> list[str]:
    return [json.dumps(order(number)) for number in range(many)]


def with_poison(healthy: Iterable[str], *, every: int) -> Iterator[str]:
    """A poison message after each `every` healthy ones, of the small kinds in turns."""
    kinds = cycle(body for body in POISON.values() if len(body) < 1_000)
    for number, body in zip(count(1), healthy):
        yield body
        if number % every == 0:
            yield next(kinds)

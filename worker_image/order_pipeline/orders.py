"""An order, and the schema that its message must satisfy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ID = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}

ORDER_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "order_id": _ID,
        "customer_id": _ID,
        "amount_cents": {"type": "integer", "minimum": 0, "maximum": 10**12},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "note": {"type": "string"},
    },
    "required": ["order_id", "customer_id", "amount_cents", "currency"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order; `amount_cents` counts the currency's hundredths."""

    order_id: str
    customer_id: str
    amount_cents: int
    currency: str
    note: str = ""

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Order":
        """The order in a payload that satisfies ORDER_SCHEMA. (1.0 is an integer to JSON Schema.)"""
        fields: dict[str, Any] = {**body, "amount_cents": int(body["amount_cents"])}
        return cls(**fields)

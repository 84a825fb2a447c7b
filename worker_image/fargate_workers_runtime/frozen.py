"""Frozen dataclasses, made as often as messages come."""

from typing import Any, TypeVar

Kind = TypeVar("Kind")


def frozen(kind: type[Kind], **fields: Any) -> Kind:
    """An object of a frozen dataclass. Its own `__init__`, which must not assign, takes three times as long.

    Args:
        kind: The dataclass.
        fields: Its fields by name, at least all without a default value.
    """
    made = object.__new__(kind)
    made.__dict__.update(fields)
    return made

"""A value of a template and where it stands, so that whoever reads it can say what is wrong there."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.template_values import Reference, Text, Unknown


class Place:
    """An evaluated value. What it should be and is not raises SimulationError.

    Place({"Cooldown": "60"}, "cdk.out: Out")["Cooldown"].number()

    where: The file and the place in it.
    """

    def __init__(self, value: Any, where: str) -> None:
        self.value = value
        self.where = where

    def __getitem__(self, name: str) -> "Place":
        """A part that must be there."""
        found = self.get(name)
        if found is None:
            raise SimulationError(f"{self.where} has no {name}; add it.")
        return found

    def get(self, name: str) -> "Place | None":
        """A part that may be there."""
        value = self.mapping().get(name)
        return None if value is None else Place(value, f"{self.where}.{name}")

    def __iter__(self) -> Iterator["Place"]:
        """Of a list."""
        value: object = self.value
        if not isinstance(value, list):
            raise self.wrong("a list")
        for index, item in enumerate(cast("list[Any]", value)):
            yield Place(item, f"{self.where}[{index}]")

    def parts(self, name: str) -> list["Place"]:
        """The items of a list that may be there."""
        found = self.get(name)
        return [] if found is None else list(found)

    def mapping(self) -> Mapping[str, Any]:
        value: object = self.value
        if not isinstance(value, dict):
            raise self.wrong("an object")
        return cast("Mapping[str, Any]", value)

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def one_of(self, choices: Iterable[str]) -> str:
        known = list(choices)
        if self.value not in known:
            raise self.wrong(f"one of {', '.join(known)}")
        return self.value

    def flag(self) -> bool:
        """CloudFormation takes them as text, too."""
        return self.value is True if isinstance(self.value, bool) else self.one_of(("true", "false")) == "true"

    def number(self, *, least: float = -math.inf, most: float = math.inf) -> float:
        """CloudFormation takes them as text, too."""
        try:
            number = math.nan if isinstance(self.value, bool) else float(self.value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most):
            raise self.wrong(f"a number{_range(least, most)}")
        return number

    def whole(self, *, least: float = -math.inf, most: float = math.inf) -> int:
        number = self.number(least=least, most=most)
        if not number.is_integer():
            raise self.wrong(f"a whole number{_range(least, most)}")
        return int(number)

    def wrong(self, expected: str) -> SimulationError:
        """What to raise where something else was expected."""
        match self.value:
            case Unknown(why=why):
                return SimulationError(f"{self.where} is known only when deployed: {why}.")
            case Reference() | Text():
                return SimulationError(
                    f"{self.where} is known only when deployed: it refers to what does not exist yet."
                )
            case dict():
                found = "an object"
            case list():
                found = "a list"
            case _:
                found = repr(self.value) if len(repr(self.value)) <= 40 else f"{repr(self.value)[:40]} ..."
        return SimulationError(f"{self.where} is {found}; it must be {expected}.")


def _range(least: float, most: float) -> str:
    match math.isfinite(least), math.isfinite(most):
        case True, True:
            return f" from {least:,.9g} to {most:,.9g}"
        case True, False:
            return f" from {least:,.9g} on"
        case _:
            return ""

"""A value of a template together with its location, for errors that name both."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.templates.values import Reference, Text, Unknown


class TemplateLocation:
    """An evaluated value and its location; a value of another kind than the one asked for raises an error.

        TemplateLocation({"Cooldown": "60"}, "cdk.out: Out")["Cooldown"].number()

    Args:
        value: The evaluated value.
        where: The file and the place in it.
    """

    def __init__(self, value: Any, where: str) -> None:
        self.value = value
        self.where = where

    def __getitem__(self, name: str) -> "TemplateLocation":
        """A part that must be there."""
        found = self.get(name)
        if found is None:
            raise SimulationError(f"{self.where} has no {name}; add it.")
        return found

    def get(self, name: str) -> "TemplateLocation | None":
        """A part that may be there; None where it is not.

        Args:
            name: The part's key.
        """
        value = self.mapping().get(name)
        return None if value is None else TemplateLocation(value, f"{self.where}.{name}")

    def __iter__(self) -> Iterator["TemplateLocation"]:
        """The items of a list, each with its location."""
        value: object = self.value
        if not isinstance(value, list):
            raise self.wrong("a list")
        for index, item in enumerate(cast("list[Any]", value)):
            yield TemplateLocation(item, f"{self.where}[{index}]")

    def parts(self, name: str) -> list["TemplateLocation"]:
        """The items of a list that may be there; none where it is not.

        Args:
            name: The list's key.
        """
        found = self.get(name)
        return [] if found is None else list(found)

    def mapping(self) -> Mapping[str, Any]:
        """The value, which must be an object."""
        value: object = self.value
        if not isinstance(value, dict):
            raise self.wrong("an object")
        return cast("Mapping[str, Any]", value)

    def text(self) -> str:
        """The value, which must be text."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def one_of(self, choices: Iterable[str]) -> str:
        """The value, which must be one of a few texts.

        Args:
            choices: The texts it may be.
        """
        known = list(choices)
        if self.value not in known:
            raise self.wrong(f"one of {', '.join(known)}")
        return self.value

    def flag(self) -> bool:
        """The value, which must be true or false. CloudFormation takes them as text, too."""
        return self.value is True if isinstance(self.value, bool) else self.one_of(("true", "false")) == "true"

    def number(self, *, least: float = -math.inf, most: float = math.inf) -> float:
        """The value, which must be a number. CloudFormation takes them as text, too.

        Args:
            least: The least it may be. Defaults to no bound.
            most: The most it may be. Defaults to no bound.
        """
        try:
            number = math.nan if isinstance(self.value, bool) else float(self.value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most):
            raise self.wrong(f"a number{_range(least, most)}")
        return number

    def whole(self, *, least: float = -math.inf, most: float = math.inf) -> int:
        """The value, which must be a whole number. CloudFormation takes them as text, too.

        Args:
            least: The least it may be. Defaults to no bound.
            most: The most it may be. Defaults to no bound.
        """
        number = self.number(least=least, most=most)
        if not number.is_integer():
            raise self.wrong(f"a whole number{_range(least, most)}")
        return int(number)

    def wrong(self, expected: str) -> SimulationError:
        """The error for a value of another kind than the one expected.

        Args:
            expected: The kind of value, such as "a list".
        """
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

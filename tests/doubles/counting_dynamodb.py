"""Tables of DynamoDB in memory: as much as claims need, and the write units they cost.

Conditions and updates are read as the claims write them: comparisons, attribute_not_exists, AND, OR and brackets;
SET and ADD of single attributes. Anything else is refused, so that nothing is measured that would not work.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Item = dict[str, dict[str, str]]
Condition = Callable[[Item, Mapping[str, Any]], bool]

_CONDITION = re.compile(
    r"attribute_not_exists\((?P<absent>\w+)\)|(?P<left>\w+) (?P<sign>=|<>|<=?|>=?) (?P<right>:\w+)"
    r"|(?P<word>AND|OR|NOT)|(?P<bracket>[()])|\s+|(?P<other>.)"
)
_SIGNS = {"=": "==", "<>": "!="}


class ConditionFailedError(Exception):
    """The condition did not hold for `item`."""

    def __init__(self, item: Item) -> None:
        super().__init__("The conditional request failed")
        self.item = item


class Table:
    """Items by their key `pk`, and what was asked of them."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self.requests = 0
        self.write_units = 0

    def get(self, request: Mapping[str, Any]) -> Item | None:
        self.requests += 1
        return self._items.get(request["Key"]["pk"]["S"])

    def update(self, request: Mapping[str, Any]) -> Item:
        """UpdateItem; returns the item as it is then. Raises ConditionFailedError, which costs its unit as well."""
        self.requests += 1
        key, values = request["Key"]["pk"]["S"], request.get("ExpressionAttributeValues", {})
        old = self._items.get(key, {})
        if not condition(request.get("ConditionExpression", ""))(old, values):
            self.write_units += _units(old)
            raise ConditionFailedError(old)
        new: Item = {"pk": {"S": key}, **old}
        _apply(request["UpdateExpression"], new, values)
        self._items[key] = new
        self.write_units += max(_units(old), _units(new))
        return new


@cache
def condition(text: str) -> Condition:
    """The condition as a function of an item and the request's values.

    Raises:
        NotImplementedError: It says what the claims never say.
    """

    def translate(found: re.Match[str]) -> str:
        if found["absent"]:
            return f"({found['absent']!r} not in item)"
        if found["left"]:
            sign = _SIGNS.get(found["sign"], found["sign"])
            # A comparison with an attribute that is not there is false.
            return f"({found['left']!r} in item and of(item[{found['left']!r}]) {sign} of(values[{found['right']!r}]))"
        if found["other"]:
            raise NotImplementedError(f"The table in memory cannot read the condition {text!r}.")
        return f" {(found['word'] or found['bracket'] or '').lower()} "

    source = _CONDITION.sub(translate, text) or "True"
    return eval(f"lambda item, values: {source}", {"of": _plain})  # made of the words above and nothing else


def _apply(text: str, item: Item, values: Mapping[str, Any]) -> None:
    for clause, changes in re.findall(r"(SET|ADD|\w+) (.+?)(?= SET | ADD |$)", text):
        for change in changes.split(", "):
            match [clause, *re.split(r" = | ", change)]:
                case ["SET", name, value] if value in values:
                    item[name] = values[value]
                case ["ADD", name, value] if value in values:
                    item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}
                case _:
                    raise NotImplementedError(f"The table in memory cannot read the update {text!r}.")


def _plain(value: Mapping[str, str]) -> str | float:
    return float(value["N"]) if "N" in value else value["S"]


def _units(item: Item) -> int:
    """One for each kilobyte of the item, and one at least."""
    size = sum(len(name) + sum(len(text) for text in value.values()) for name, value in item.items())
    return max(1, -(-size // 1024))

"""The prices of AWS that the toolkit calculates with, each with its source."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

Status = Literal["confirmed", "reported", "unconfirmed"]


@dataclass(frozen=True, kw_only=True)
class Price:
    """One price.

    Args:
        name: Its name in the file, for example `sqs.standard_request`.
        dollars: What `per` units cost.
        per: How many units that is.
        unit: What is counted.
        region: The region in which it holds.
        date: When it was looked up.
        source: The page of AWS on which it stands.
        seen: Where the figure was read.
        status: How sure it is: "confirmed" by AWS's price list or by two readings, "reported" by one, "unconfirmed".
    """

    name: str
    dollars: float
    per: float
    unit: str
    region: str
    date: date
    source: str
    seen: str
    status: Status

    def of(self, quantity: float) -> float:
        """The dollars for a quantity.

        Args:
            quantity: How many units.
        """
        return quantity * self.dollars / self.per


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The price file.

    Args:
        region: The region in which its prices hold.
        date: When they were looked up.
        all: Each price by its name.
    """

    region: str
    date: date
    all: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.all[name]


@cache
def read_prices() -> Prices:
    """The prices of the file that comes with the toolkit.

    >>> read_prices()["sqs.standard_request"].of(10_000_000)
    4.0
    """
    return prices_of(files("fargate_workers_toolkit.cost").joinpath("prices.toml").read_text(encoding="utf-8"))


def prices_of(text: str) -> Prices:
    """The prices of a file.

    Args:
        text: Its content.
    """
    document = tomllib.loads(text)
    region, day = document.pop("region"), document.pop("date")
    return Prices(
        region=region,
        date=day,
        all={
            f"{service}.{name}": _price(f"{service}.{name}", {"region": region, "date": day, **entry})
            for service, entries in cast("Mapping[str, Mapping[str, Mapping[str, Any]]]", document).items()
            for name, entry in entries.items()
        },
    )


def _price(name: str, values: Mapping[str, Any]) -> Price:
    return Price(name=name, **values)

"""What `make check` demands of the types of the public names."""

from typing import Any

import pytest

from tools.public_types import shortfall


def report(*, score: float, known: int = 501) -> dict[str, Any]:
    symbol = {
        "name": "shop.price",
        "isExported": True,
        "isTypeKnown": False,
        "isTypeAmbiguous": False,
        "diagnostics": [{"message": "Return type is unknown\n  in detail"}],
    }
    return {"exportedSymbolCounts": {"withKnownType": known}, "completenessScore": score, "symbols": [symbol]}


@pytest.mark.parametrize("score", [0.98, 1])
def test_a_package_with_enough_types_lacks_nothing(score: float) -> None:
    assert shortfall("shop", report(score=score)) is None


def test_the_names_without_a_type_are_listed() -> None:
    said = "shop: 97.9 % of the public names have a type, and 98 % must; annotate shop.price (Return type is unknown)."
    assert shortfall("shop", report(score=0.979)) == said


def test_a_package_that_was_not_found_does_not_pass() -> None:
    assert shortfall("shop", report(score=1, known=500)) is not None

"""Checks as data, and the summary over them."""

import io

from rich.console import Console

from fargate_workers_toolkit.local.scenarios.checks import check, check_same
from fargate_workers_toolkit.local.scenarios.summary import Summary


def test_equal_values_pass() -> None:
    assert check("depth", expected=0, seen=0).passed
    assert not check("depth", expected=0, seen=1).passed


def test_a_verdict_of_its_own_wins() -> None:
    assert check("tasks", expected="more than 1", seen="1 -> 4", passed=True).passed


def test_missing_and_unexpected_members_are_named() -> None:
    result = check_same("orders", expected="abcdef", seen="abx", what="orders")
    assert not result.passed
    assert result.expected == "6 orders"
    assert result.seen == "3 orders; missing: c, d, e and 1 more; unexpected: x"


def test_no_check_at_all_is_no_success() -> None:
    assert not Summary(checks=[], seconds={}).passed


def test_one_failed_check_fails_the_run() -> None:
    checks = [check("first", expected=1, seen=1), check("second", expected=1, seen=2)]
    summary = Summary(checks=checks, seconds={"Deploy": 8.1})
    assert summary.as_json() == {
        "passed": False,
        "checks": [
            {"name": "first", "expected": "1", "seen": "1", "passed": True},
            {"name": "second", "expected": "1", "seen": "2", "passed": False},
        ],
        "seconds": {"Deploy": 8.1},
    }
    console = Console(file=io.StringIO(), width=80)
    summary.show(console)
    assert "1 of 2 checks failed." in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]

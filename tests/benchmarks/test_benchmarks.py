"""What the benchmarks stand on: counting messages, and comparing CPU."""

import sys

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sqs as sqs

from benchmarks.synth.cpu import Ratio, compare, cpu_seconds, slope
from benchmarks.synth.messages import counting
from benchmarks.synth.twin import recording


def test_each_create_read_and_call_is_one_message() -> None:
    stack = Stack(App(), "Stack")

    with counting() as messages:
        queue = sqs.CfnQueue(stack, "Queue")
        _ = queue.ref, queue.ref
        queue.override_logical_id("Orders")

    assert messages.by_kind() == {"get": 2, "create": 1, "invoke": 1}
    assert messages.total == 4
    assert messages.count("create", "aws-cdk-lib.aws_sqs.CfnQueue") == 1
    assert messages.callbacks == 0


def test_counting_ends_with_its_block() -> None:
    with counting() as messages:
        pass
    App()

    assert messages.total == 0


def test_the_twin_makes_the_same_calls() -> None:
    stack = Stack(App(), "Stack")
    with recording() as twin:
        inner = Stack(stack, "Inner")
        first = sqs.CfnQueue(inner, "First", fifo_queue=True)
        sqs.CfnQueue(inner, "Second", queue_name=f"copy-of-{first.ref}")

    assert twin.lines[-4:] == [
        'const v0 = new cdk.Stack(outside, "Inner", {});',
        'const v1 = new cdk.aws_sqs.CfnQueue(v0, "First", {"fifoQueue": true});',
        "const v2 = v1.ref;",
        'const v3 = new cdk.aws_sqs.CfnQueue(v0, "Second", {"queueName": "copy-of-" + v2});',
    ]


def test_a_ratio_is_the_median_of_pairs_that_ran_in_turns() -> None:
    ran: list[str] = []

    def first() -> float:
        ran.append("first")
        return len(ran)

    def second() -> float:
        ran.append("second")
        return 2.0

    ratio = compare(first, second, pairs=3)

    assert ran == ["first", "second"] * 4
    assert ratio == Ratio([1.5, 2.5, 3.5])
    assert ratio.median == 2.5
    assert str(ratio) == "2.50 (1.50 to 3.50 in 3 pairs)"


def test_cpu_counts_what_a_program_started_too() -> None:
    spin = "import time\nwhile time.process_time() < 0.05: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"

    assert cpu_seconds([sys.executable, "-c", parent], {}) >= 0.05


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        cpu_seconds([sys.executable, "-c", "raise SystemExit('no such thing')"], {})


def test_linear_growth_has_slope_one() -> None:
    assert slope({0: 3.0, 10: 4.0, 50: 8.0, 200: 23.0}) == pytest.approx(1.0)

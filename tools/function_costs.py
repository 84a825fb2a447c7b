"""What a function and a task on the same queue cost a month, and where they cross: tables of docs/brokers/function.md.

python -m tools.function_costs
"""

import math
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "brokers" / "function.md"

#: List prices in us-east-1, in dollars, of November 2026.
PRICES_OF = "November 2026"
LAMBDA_REQUEST = 0.20 / 1e6  # https://aws.amazon.com/lambda/pricing/
LAMBDA_GB_SECOND = 0.0000133334  # arm64, the first tier
SQS_REQUEST = 0.40 / 1e6  # https://aws.amazon.com/sqs/pricing/
FARGATE_VCPU_HOUR, FARGATE_GB_HOUR = 0.03238, 0.00356  # arm64: https://aws.amazon.com/fargate/pricing/

HOURS = 730
#: Long polls of 20 s: a task has one open, an event source mapping with a maximum of concurrency five.
POLLS_OF_A_TASK, POLLS_OF_A_MAPPING = 1, 5
#: How far a task's handlers can be busy, when messages come evenly.
BUSY = 0.7

BATCH = 10
CONCURRENCY = 10
MEMORY_GB = 0.5
#: Seconds of a handler that waits for others.
HANDLERS = (0.02, 0.1, 1.0)
MILLIONS = (0, 1, 10, 100, 1_000)


def polls(open_at_once: int) -> float:
    """Dollars a month for polls of an empty queue."""
    return open_at_once * 3 * 60 * HOURS * SQS_REQUEST


def of_function(millions: float, seconds: float, *, batch: int, side_by_side: int) -> float:
    """Dollars a month of a function for so many million messages; the requests for them apart, which both pay.

    Args:
        millions: Messages a month, in millions.
        seconds: How long a handler takes.
        batch: Messages of an invocation.
        side_by_side: How many of them it handles at once.
    """
    invocations = millions * 1e6 / batch
    billed = math.ceil(batch / side_by_side) * seconds * MEMORY_GB
    return polls(POLLS_OF_A_MAPPING) + invocations * (LAMBDA_REQUEST + billed * LAMBDA_GB_SECOND)


def of_tasks(millions: float, seconds: float) -> float:
    """Dollars a month of as many tasks of 0.25 vCPU as the messages take, and one at least.

    Args:
        millions: Messages a month, in millions.
        seconds: How long a handler takes, without using the processor.
    """
    tasks = max(1, math.ceil(millions * 1e6 * seconds / (CONCURRENCY * BUSY * HOURS * 3600)))
    hour = 0.25 * FARGATE_VCPU_HOUR + 0.5 * FARGATE_GB_HOUR
    return tasks * (hour * HOURS + polls(POLLS_OF_A_TASK))


def crossing(seconds: float, *, batch: int, side_by_side: int) -> float:
    """Million messages a month from which on one task is cheaper than the function."""
    idle = of_function(0, seconds, batch=batch, side_by_side=side_by_side)
    each = of_function(1, seconds, batch=batch, side_by_side=side_by_side) - idle
    return (of_tasks(0, seconds) - idle) / each


def table() -> str:
    """The two tables, as they stand in the document."""
    ways = (
        ("one message an invocation", 1, 1),
        ("ten, one after the other", BATCH, 1),
        ("ten, side by side", BATCH, CONCURRENCY),
    )
    rows = [
        "| a month, 0.1 s each | " + " | ".join(f"function, {name}" for name, _, _ in ways) + " | tasks |",
        "|---|---|---|---|---|",
    ]
    for millions in MILLIONS:
        functions = (_dollars(of_function(millions, 0.1, batch=b, side_by_side=s)) for _, b, s in ways)
        rows.append(f"| {_messages(millions)} | {' | '.join(functions)} | {_dollars(of_tasks(millions, 0.1))} |")
    rows += [
        "",
        "| a handler takes | " + " | ".join(name for name, _, _ in ways) + " |",
        "|---|---|---|---|",
    ]
    for seconds in HANDLERS:
        crossings = (f"{_rounded(crossing(seconds, batch=b, side_by_side=s))} million" for _, b, s in ways)
        rows.append(f"| {seconds:g} s | {' | '.join(crossings)} |")
    return "\n".join(rows)


def written(document: str) -> str:
    """The document with today's tables in it."""
    return re.sub(
        r"(<!-- costs -->\n).*?(\n<!-- / -->)",
        lambda match: f"{match[1]}\n{table()}\n{match[2]}",
        document,
        flags=re.DOTALL,
    )


def _messages(millions: float) -> str:
    return "none" if not millions else f"{millions:,} million"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"


def _rounded(number: float) -> str:
    return f"{float(f'{number:.2g}'):,g}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")

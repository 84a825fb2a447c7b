"""The sample workload: order files with known faults, and what must have become of every row."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

COLUMNS = ("order_id", "customer_id", "amount_cents", "currency", "note")
SMALL_FILES = 4
ROWS_PER_FILE = 300
BULK_ROWS = 200
# What a fast machine gets more, one after the other, until one worker is not enough for the accepted minutes.
FURTHER_ROUNDS = 3
CUSTOMERS = 25
# More than the 256 KiB that ApplyOrders takes, less than the 1 MiB that SQS carries.
OVERSIZED_NOTE_BYTES = 300 * 1024
SEED = 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """A valid order, as the table must hold it.

    Args:
        order_id: Its business id.
        customer_id: The customer.
        amount_cents: The amount, in cents.
        currency: The currency.
        note: Any text.
    """

    order_id: str
    customer_id: str
    amount_cents: int
    currency: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The read model's numbers of one customer.

    Args:
        orders: How many there are.
        total_cents: What they amount to, in cents.
    """

    orders: int
    total_cents: int


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Files, and what they come to.

    Args:
        files: The text of each file by its object key.
        valid: The valid orders by their id.
        bad: The ids of the rows that no worker may accept.
        rows: How many rows the files have.
    """

    files: Mapping[str, str] = field(repr=False)
    valid: Mapping[str, Order] = field(repr=False)
    bad: frozenset[str]
    rows: int

    @property
    def totals(self) -> dict[str, Totals]:
        """The read model's numbers by customer."""
        counts: Counter[str] = Counter()
        cents: Counter[str] = Counter()
        for order in self.valid.values():
            counts[order.customer_id] += 1
            cents[order.customer_id] += order.amount_cents
        return {customer: Totals(orders=counts[customer], total_cents=cents[customer]) for customer in counts}

    def with_further(self, other: "Workload") -> "Workload":
        """Return both in one.

        Args:
            other: Files with other orders.
        """
        return Workload(
            files={**self.files, **other.files},
            valid={**self.valid, **other.valid},
            bad=self.bad | other.bad,
            rows=self.rows + other.rows,
        )


def sample_workload() -> Workload:
    """Small files for the queue and one for the run task; four rows no worker may accept, and one order twice."""
    source = random.Random(SEED)  # noqa: S311
    small = [_orders(f"small-{number}", ROWS_PER_FILE, source) for number in range(1, SMALL_FILES + 1)]
    bulk = _orders("bulk", BULK_ROWS, source)
    rows: list[list[Sequence[str]]] = [[_row(order) for order in orders] for orders in small]
    # A byte-identical repetition in another file: the same business key, another message.
    rows[-1].append(rows[0][0])
    bad = {
        "bad-amount": ("bad-amount", "customer-1", "twelve", "EUR", "no number"),
        "bad-missing": ("bad-missing", "customer-2"),
        "bad-extra": ("bad-extra", "customer-3", "100", "EUR", "one column too many", "surplus"),
        "bad-oversized": ("bad-oversized", "customer-4", "100", "EUR", "x" * OVERSIZED_NOTE_BYTES),
    }
    for file, row in zip(rows, bad.values(), strict=True):
        file.insert(len(file) // 2, row)
    files = {f"incoming/orders-{number}.csv": _csv(file) for number, file in enumerate(rows, 1)}
    files["bulk/orders.csv"] = _csv(_row(order) for order in bulk)
    valid = {order.order_id: order for order in (*(order for orders in small for order in orders), *bulk)}
    return Workload(files=files, valid=valid, bad=frozenset(bad), rows=sum(map(len, rows)) + len(bulk))


def further_workload(number: int) -> Workload:
    """Return only valid orders, twice as many as in the round before.

    Args:
        number: The round, from 1.
    """
    source = random.Random(SEED + number)  # noqa: S311
    rows = ROWS_PER_FILE * 2**number
    files = {file: _orders(f"round-{number}-{file}", rows, source) for file in range(1, SMALL_FILES + 1)}
    return Workload(
        files={f"incoming/round-{number}-{file}.csv": _csv(map(_row, orders)) for file, orders in files.items()},
        valid={order.order_id: order for orders in files.values() for order in orders},
        bad=frozenset(),
        rows=rows * SMALL_FILES,
    )


def _orders(prefix: str, count: int, source: random.Random) -> list[Order]:
    return [
        Order(
            order_id=f"{prefix}-{number:04}",
            customer_id=f"customer-{source.randint(1, CUSTOMERS)}",
            amount_cents=source.randint(1, 100_000),
            currency="EUR",
            note=source.choice(("", "gift", 'said "soon"', "two lines,\none order", "für Zoë")),
        )
        for number in range(1, count + 1)
    ]


def _row(order: Order) -> tuple[str, ...]:
    return tuple(str(value) for value in asdict(order).values())


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()

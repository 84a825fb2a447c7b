"""`python -m benchmarks.sql [--turns N] [--json]`: a claim in the effect's transaction, beside the effect alone.

A PostgreSQL of its own, with TLS, which waits for the disk at each commit. One row is written, with and without a
claim, in turns: by as many handlers at once as there are cores, and by eight, which on a small machine compete for CPU
and no longer wait for the disk. Exit code: 0, or 1 when a claim takes more than 1.35 times the time.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from benchmarks.report import Check, Row, publish
from benchmarks.sql.claiming import measure

#: The most that a transaction with a claim may take, in the time of one without.
MOST = 1.35

#: Handlers that are more than a small machine has cores for.
MANY = 8


def main(given: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sql", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=60, help="how many turns each kind has (default: 60)")
    parser.add_argument("--transactions", type=int, default=100, help="of each kind in a turn (default: 100)")
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    arguments = parser.parse_args(given)
    few = os.cpu_count() or 1
    amounts = {"turns": arguments.turns, "transactions": arguments.transactions}
    rates, crowded = measure(handlers=few, **amounts), measure(handlers=MANY, **amounts)
    check = Check(
        measures="A claim in the transaction of its effect",
        rows=[
            Row(
                name="time_with_a_claim_in_time_without",
                value=rates.ratio,
                most=MOST,
                digits=2,
                beside=f"by the medians: {rates.median_ratio:.2f}",
            ),
            Row(name="transactions_per_second_without", value=rates.bare),
            Row(name="transactions_per_second_with", value=rates.claimed),
            Row(name="duplicates_per_second", value=rates.refused),
            Row(
                name="time_with_a_claim_in_time_without_at_8_handlers",
                value=crowded.ratio,
                digits=2,
                beside=f"{crowded.bare:,.0f} and {crowded.claimed:,.0f} transactions per second",
            ),
        ],
    )
    machine = {"handlers": few, **amounts}
    return publish({"sql": check}, as_json=arguments.json, machine=machine)


if __name__ == "__main__":
    sys.exit(main())

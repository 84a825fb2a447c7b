"""`python -m benchmarks.operations [--json]`: what a person on call waits for before AWS is asked anything.

The letters of the filter are in memory: a queue adds a request for each ten of them.
"""

import argparse
import sys

from benchmarks.operations import filtering, starting
from benchmarks.report import Check, Row, publish

_MOST_CPU, _MOST_SECONDS, _MOST_MEGABYTES = 0.5, 2.0, 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description="How soon the commands of someone on call answer.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    alone = starting.cpu_until_first_request(starting.CLIENT_ALONE)
    starts = [Row(name="a client of botocore alone", value=alone, digits=2)]
    for typed in starting.TYPED:
        seconds = starting.cpu_until_first_request(starting.command(typed))
        beside = f"{seconds / alone:.1f} times the client alone"
        starts.append(Row(name=typed[0], value=seconds, most=_MOST_CPU, digits=2, beside=beside))
    seen = filtering.measure()
    filters = [
        Row(name="the first match, in seconds", value=seen["first"], most=_MOST_SECONDS, digits=3),
        Row(name="all of them, in seconds", value=seen["all"], digits=1, beside=f"{seen['matches']:,.0f} match"),
        Row(name="the most memory, in MB", value=seen["megabytes"], most=_MOST_MEGABYTES),
    ]
    return publish(
        {
            "starting": Check(measures="CPU until a command's first request to AWS, in seconds", rows=starts),
            "filtering": Check(measures=f"A filter over {filtering.LETTERS:,} dead letters", rows=filters),
        },
        as_json=arguments.json,
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.brokers.redis [--rounds N] [--ours] [--json]`: streams and lists, and their peers.

Handlers that do nothing, one process each, one server for all, in rounds. The peers are installed from PyPI into
`.local/benchmarks/redis-peers`, or into PEERS_HOME; with `--ours` there are none.

Exit code: 0, 1 when a promise is not kept, 2 when it cannot be measured here.
"""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.brokers.redis.contestants import OURS_LIST, OURS_STREAM, PEERS
from benchmarks.brokers.redis.rates import megabytes, rounds, rows
from benchmarks.report import show
from benchmarks.valkey import valkey_server
from benchmarks.worker.installing import InstallationError, install
from fargate_workers_toolkit.console.progress import Progress


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.brokers.redis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds a ratio is the median of (default: 5)")
    parser.add_argument("--ours", action="store_true", help="without the peers, which needs no registry")
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    arguments = parser.parse_args()
    progress = Progress()
    if not arguments.ours:
        try:
            install(PEERS, progress=progress)
        except InstallationError as error:
            print(error, file=sys.stderr)
            return 2
    with valkey_server() as server:
        memory = {each.name: megabytes(server, each) for each in (OURS_STREAM, OURS_LIST)}
        measured = rows(rounds(server, progress, number=arguments.rounds, ours_alone=arguments.ours), memory)
    if arguments.json:
        print(json.dumps([{**asdict(row), "kept": row.kept} for row in measured], indent=2))
    else:
        show(measured, title="Redis streams and lists (handlers that do nothing, one process, validation off)")
    return 0 if all(row.kept for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main())

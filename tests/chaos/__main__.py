"""python -m tests.chaos [--messages 100000] [--seed N] [--json]

Exit code 0 if nothing is lost and nothing happened twice, 1 if not. A seed makes the same choices again: what is sent,
what fails, and when processes are attacked; the machine's own timing stays its own.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.checker import table
from tests.chaos.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill workers, and count what is left.")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments.messages, seed=arguments.seed, folder=Path(folder))
    bad = {outcome: result.verdict.of(outcome)[:10] for outcome in result.verdict.bad}
    if arguments.json:
        found = {"seed": result.seed, "good": result.good, **result.verdict.counts, "examples": bad}
        found |= {"wrong_exits": result.wrong_exits, **result.facts}
        print(json.dumps(found))
    else:
        print(table(result.verdict, result.facts.items()))
        print(
            f"\n{'Good' if result.good else 'Bad'}: seed {result.seed}",
            *(f"{what}: {keys}" for what, keys in bad.items()),
            *(f"process {process} ended with {code}" for process, code in result.wrong_exits.items()),
        )
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())

"""python -m tests.chaos.function --messages 10000 --queue fifo --faults kill,time-out --seed 7

Exit code 0 if nothing is lost, the dead letters are the poison exactly, no effect is repeated without a reason, and the
first effects of each group come in order; 1 if not. The last line says so, and how to see the same again.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.function.run import FAULTS, Scene, run
from tests.chaos.function.verdict import MEANINGS
from tests.chaos.run import keep_logs


def main(arguments: Sequence[str] | None = None) -> int:
    listed = "\n".join(f"  {name:<10} {meaning}" for name, meaning in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.function",
        description="Hurt the execution environments of a function, and judge what is left.",
        epilog=f"faults, separated by commas, or all:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--messages", type=int, default=10_000)
    add("--queue", choices=("standard", "fifo"), default="standard")
    add("--faults", default="all")
    add("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    add("--pollers", type=int, default=Scene.pollers)
    add("--limit", type=float, default=Scene.limit)
    add("--keep", type=Path, help="a folder for logs and history")
    options = parser.parse_args(arguments)
    faults = frozenset(FAULTS) if options.faults == "all" else frozenset(options.faults.split(","))
    if unknown := faults - {*FAULTS}:
        parser.error(f"no fault is called {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    scene = Scene(
        messages=options.messages,
        fifo=options.queue == "fifo",
        faults=faults,
        seed=options.seed,
        pollers=options.pollers,
        limit=options.limit,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = run(scene, folder=Path(folder), tell=lambda line: print(line, file=sys.stderr, flush=True))
        if options.keep:
            keep_logs(Path(folder), options.keep)
    for name, value in result.facts.items():
        print(f"{value!s:>8}  {name}")
    for fault, subject in result.verdict.findings[:20]:
        print(f"{fault}: {subject} ({MEANINGS[fault]})")
    verdict = "Good" if result.verdict.good else f"Bad: {len(result.verdict.findings)} findings"
    print(f"{verdict}: --messages {scene.messages} --queue {options.queue} --seed {scene.seed}")
    return 0 if result.verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())

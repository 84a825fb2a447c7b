"""python -m tests.chaos.kafka --messages 10000 --server tansu --faults kill,freeze --seed 7

Exit code 0 if nothing is lost, no key's order was broken, the dead letters are the poison exactly, and every offset is
committed; 1 if not. The last line says so, and how to see the same again.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.kafka.run import FAULTS, Scene, run
from tests.chaos.kafka.verdict import MEANINGS


def main(arguments: Sequence[str] | None = None) -> int:
    listed = "\n".join(f"  {name:<8} {meaning}" for name, meaning in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.kafka",
        description="Hurt the workers of a consumer group, and judge what is left.",
        epilog=f"faults, separated by commas, or all:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--messages", type=int, default=10_000)
    add("--server", choices=("tansu", "mock"), default="tansu")
    add("--handler", choices=("function", "coroutine"), default="function")
    add("--faults", default="all")
    add("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    add("--intensity", type=float, default=1.0)
    add("--processes", type=int, default=Scene.processes)
    add("--limit", type=float, default=Scene.limit)
    add("--keep", type=Path, help="a folder for logs and history")
    options = parser.parse_args(arguments)
    faults = frozenset(FAULTS) if options.faults == "all" else frozenset(options.faults.split(","))
    if unknown := faults - {*FAULTS}:
        parser.error(f"no fault is called {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    scene = Scene(
        messages=options.messages,
        handler=options.handler,
        server=options.server,
        faults=faults,
        seed=options.seed,
        intensity=options.intensity,
        processes=options.processes,
        limit=options.limit,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = run(scene, folder=Path(folder), tell=lambda line: print(line, file=sys.stderr, flush=True))
        if options.keep:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)
    for name, value in result.facts.items():
        print(f"{name:<32} {value}")
    for fault, meaning in MEANINGS.items():
        print(f"{fault:<32} {result.verdict.counts[fault]:>6}  {meaning}")
    for fault, detail in result.verdict.findings[:20]:
        print(f"{fault}: {detail}")
    said = "Good" if result.verdict.good else f"Bad: {len(result.verdict.findings)} findings"
    again = f"--messages {scene.messages} --server {scene.server} --handler {scene.handler}"
    print(f"{said}: {again} --faults {options.faults} --seed {scene.seed}")
    return 0 if result.verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())

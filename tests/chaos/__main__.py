"""python -m tests.chaos --messages 20000 --queue fifo --claims dynamodb --faults sigterm,outage --seed 7 [--json]

Exit code 0 if nothing is lost, nothing happened twice without an excuse, nothing healthy is dead, order was kept and
nothing stayed hidden after a clean stop; 1 if not. The last line says so, and how to see the same again.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.checker import MEANINGS, Finding, Verdict, table
from tests.chaos.plan import FAULTS
from tests.chaos.run import Result, Scene, as_json, keep_logs, run


def main(arguments: Sequence[str] | None = None) -> int:
    scene, options = _scene(arguments)

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            result = run(scene, folder=Path(folder), tell=tell)
        finally:
            if options.keep:
                keep_logs(Path(folder), options.keep)
    if options.json:
        print(json.dumps(as_json(result)))
    else:
        print(table(result.verdict, result.facts.items()))
        for finding in _examples(result.verdict, options.examples):
            print(f"\n{finding.fault}: {finding.subject}\n    {finding.detail}")
        print(f"\n{_verdict(result)}")
    return 0 if result.good else 1


def _examples(verdict: Verdict, most: int) -> list[Finding]:
    """The first findings of each fault."""
    return [finding for fault in MEANINGS for finding in verdict.of(fault)[:most]]


def _verdict(result: Result) -> str:
    scene, found = result.scene, result.verdict.findings
    again = f"--messages {scene.messages} --queue {'fifo' if scene.fifo else 'standard'} --claims {scene.claims}"
    again += f" --handler {scene.handler}"
    said = "Good" if result.good else f"Bad: {len(found)} findings"
    faults = "all" if {*scene.faults} == {*FAULTS} else ",".join(sorted(scene.faults))
    return f"{said} in {result.facts['seconds']} s: {again} --faults {faults} --seed {scene.seed}"


def _scene(arguments: Sequence[str] | None) -> tuple[Scene, argparse.Namespace]:
    listed = "\n".join(f"  {name:<12} {meaning}" for name, meaning in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Hurt workers, and judge what is left.",
        epilog=f"faults, separated by commas, or all, or all but some, as in all,-freeze:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--messages", type=int, default=2_000)
    add("--queue", choices=("standard", "fifo"), default="standard")
    add("--handler", choices=("function", "coroutine"), default="function")
    add("--claims", choices=("dynamodb", "redis", "none"), default="dynamodb")
    add("--faults", type=_faults, default=frozenset(FAULTS), help="see below; default: all")
    add("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    add("--intensity", type=float, default=Scene.intensity, help="times as many attacks as usual")
    add("--processes", type=int, default=Scene.processes)
    add("--concurrency", type=int, default=Scene.concurrency)
    add("--visibility", type=int, default=Scene.visibility, help="seconds; outages but the longest last a quarter")
    add("--max-attempts", type=int, default=Scene.max_attempts)
    add("--max-receives", type=int, default=Scene.max_receives, help="the queue's maxReceiveCount")
    add("--longest", type=float, default=Scene.longest, help="seconds of the longest outage of SQS")
    add("--limit", type=float, default=Scene.limit, help="seconds after which the run ends, whatever is left")
    add("--examples", type=int, default=3, help="how many findings of each fault to print")
    add("--keep", type=Path, help="a folder for logs, history and evidence (a pickled Observed)")
    add("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    scene = Scene(
        messages=options.messages,
        fifo=options.queue == "fifo",
        handler=options.handler,
        claims=options.claims,
        faults=options.faults,
        seed=options.seed,
        intensity=options.intensity,
        processes=options.processes,
        concurrency=options.concurrency,
        visibility=options.visibility,
        max_attempts=options.max_attempts,
        max_receives=options.max_receives,
        longest=options.longest,
        limit=options.limit,
    )
    return scene, options


def _faults(text: str) -> frozenset[str]:
    chosen: set[str] = set()
    for name in text.split(","):
        kind = name.removeprefix("-")
        if kind not in (*FAULTS, "all", "none"):
            raise argparse.ArgumentTypeError(f"no fault is called {kind!r}; there are {', '.join(FAULTS)}")
        named = {*FAULTS} if kind == "all" else {kind} - {"none"}
        chosen = chosen - named if name.startswith("-") else chosen | named
    return frozenset(chosen)


if __name__ == "__main__":
    sys.exit(main())

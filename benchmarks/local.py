"""`python -m benchmarks.local [--json]`: how long `make local` takes, cold and warm, and what of it deploys.

Wall-clock seconds on this machine, from one run each: read them beside each other, not as promises. "Cold" has nothing
in `.local`, and whatever pip keeps in its cache.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fargate_workers_toolkit.local import steps
from fargate_workers_toolkit.local.progress import Progress
from fargate_workers_toolkit.local.workspace import Workspace

ROOT = Path(__file__).parents[1]
DEPLOY = "Deploy every stack (cdk deploy)"


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return round(time.monotonic() - started, 1)


def measure() -> dict[str, float]:
    """Seconds by what was measured."""
    workspace = Workspace(ROOT, name="benchmark")
    shutil.rmtree(workspace.venv, ignore_errors=True)
    shutil.rmtree(workspace.assembly, ignore_errors=True)
    first, again = Progress(), Progress()
    return {
        "make local, cold": timed(lambda: _run(workspace)),
        "make local, warm": timed(lambda: _run(workspace)),
        "up, warm": timed(lambda: steps.up(workspace, progress=first)),
        "of which cdk deploy, three stacks": first.seconds[DEPLOY],
        "up again, nothing changed": timed(lambda: steps.up(workspace, progress=again)),
        "of which cdk deploy, nothing to do": again.seconds[DEPLOY],
        "down": timed(lambda: steps.down(workspace, progress=Progress())),
    }


def _run(workspace: Workspace) -> None:
    summary = steps.run(workspace, progress=Progress())
    if not summary.passed:
        raise RuntimeError(f"The run failed, so its time means nothing; its logs are in {workspace.run}.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    arguments = parser.parse_args()
    measured = measure()
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        print(*(f"{name:<40} {seconds:>7.1f} s" for name, seconds in measured.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

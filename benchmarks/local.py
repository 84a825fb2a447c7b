"""`python -m benchmarks.local [--json]`: how long `make local` takes, cold and warm, and what of it deploys.

Wall-clock seconds on this machine, from one run each: read them beside each other, not as promises. "Cold" has nothing
in `.local`, and whatever pip keeps in its cache.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Check, Row, publish
from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.app.synthesis import Selection
from fargate_workers_toolkit.local.workspace import Workspace
from scenarios.order_pipeline import play

ROOT = Path(__file__).parents[1]
DEPLOY = "Deploy the stacks (cdk deploy)"
SELECTION = Selection(stacks=("local/**",), context=("environment=local",))


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
        "up, warm": timed(lambda: lifecycle.up(workspace, progress=first, selection=SELECTION)),
        "of which cdk deploy, three stacks": first.seconds[DEPLOY],
        "up again, nothing changed": timed(lambda: lifecycle.up(workspace, progress=again, selection=SELECTION)),
        "of which cdk deploy, nothing to do": again.seconds[DEPLOY],
        "down": timed(lambda: lifecycle.down(workspace, progress=Progress())),
    }


def _run(workspace: Workspace) -> None:
    summary = lifecycle.run(workspace, progress=Progress(), selection=SELECTION, scenario=play)
    if not summary.passed:
        raise RuntimeError(f"The run failed, so its time means nothing; its logs are in {workspace.run}.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    arguments = parser.parse_args()
    rows = [Row(name=name, value=seconds, digits=1) for name, seconds in measure().items()]
    return publish({"local": Check(measures="The local environment, in seconds", rows=rows)}, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())

"""A process that replays dead letters and kills itself at a given step, as `kill -9` would."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.operations.dead_letters import Choice, journal, replay
from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import open_source
from tests.toolkit.operations.letters import MovedClock

ROOT = Path(__file__).parents[3]
STEPS = ("taken", "send_back", "sent", "delete", "deleted", "end")

#: Two moments of each step but the last, for each letter.
MOMENTS = 2 * (len(STEPS) - 1)


def replaying(
    endpoint: str | None, variables: Mapping[str, str], folder: Path, kill_at: int
) -> subprocess.CompletedProcess[str]:
    """Run this process to its end, or to its death at a moment; -1: to its end."""
    arguments = [endpoint or "", json.dumps(variables), str(folder), str(kill_at)]
    return subprocess.run(
        [sys.executable, "-m", "tests.toolkit.operations.replaying_process", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'toolkit'}:{ROOT / 'lambda_src'}:{ROOT / 'worker_image'}"},
    )


def main(endpoint: str | None, variables: Mapping[str, str], folder: str, kill_at: int) -> None:
    """Each step has two moments: just before it, and just after it."""
    place = Place(
        environment="test",
        account="123456789012",
        region="eu-west-1",
        production=False,
        named_by="test",
        endpoint=endpoint,
    )
    store: Any = open_source(Aws(place), variables, worker="Orders").dead_letters
    moments = iter(range(1_000_000))

    def deadly(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            die_now(next(moments))
            result = step(*arguments, **named)
            die_now(next(moments))
            return result

        return run

    def die_now(moment: int) -> None:
        if moment == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in STEPS:
        owner = store if name in ("send_back", "delete") else journal.Journal
        setattr(owner, name, deadly(getattr(owner, name)))
    # Letters die by the real time; all of these did before now.
    done = replay(store, Choice(), rate=1_000, folder=Path(folder), clock=MovedClock())
    sys.stdout.write(f"{done.sent} {done.finished}\n")


if __name__ == "__main__":
    endpoint, variables, folder, kill_at = sys.argv[1:]
    main(endpoint or None, json.loads(variables), folder, int(kill_at))

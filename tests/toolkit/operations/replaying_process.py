"""A process that replays dead letters and kills itself at a given step, as `kill -9` would: run by test_kill.py."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.operations.dead_letters import Choice, journal, replay
from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import open_source
from tests.toolkit.operations.letters import MovedClock

STEPS = ("taken", "send_back", "sent", "delete", "deleted", "end")


def main(endpoint: str, url: str, dead_letter_url: str, folder: str, kill_at: int) -> None:
    """Each step has two moments: just before it, and just after it."""
    place = Place(
        environment="test",
        account="123456789012",
        region="eu-west-1",
        production=False,
        named_by="test",
        endpoint=endpoint,
    )
    store: Any = open_source(
        Aws(place), {"QUEUE_URL": url, "DEAD_LETTER_QUEUE_URL": dead_letter_url}, worker="Orders"
    ).dead_letters
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
    endpoint, url, dead_letter_url, folder, kill_at = sys.argv[1:]
    main(endpoint, url, dead_letter_url, folder, int(kill_at))

"""A process that replays dead letters and kills itself at a given step, as `kill -9` would."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from fargate_workers_toolkit.operations.dead_letters import Choice, journal, replay
from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import open_source
from tests.toolkit.operations.letters import MovedClock

ROOT = Path(__file__).parents[3]
STEPS = ("taken", "send_back", "sent", "delete", "deleted", "end")

#: Two moments of each step but the last, for each letter.
MOMENTS = 2 * (len(STEPS) - 1)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended, and what it wrote."""

    returncode: int
    stderr: str


def replaying(endpoint: str | None, variables: Mapping[str, str], folder: Path, kill_at: int) -> Ended:
    """Run such a process to its end, or to its death at a moment; -1: to its end."""
    server = _server()
    assert server.stdin
    assert server.stdout
    request = {"environ": dict(os.environ), "arguments": [endpoint, variables, str(folder), kill_at]}
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return Ended(**json.loads(server.stdout.readline()))


@cache
def _server() -> subprocess.Popen[str]:
    """What these processes are forked from, so that each begins at once. It ends with its input, when this one does."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.toolkit.operations.replaying_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'toolkit'}:{ROOT / 'lambda_src'}:{ROOT / 'worker_image'}"},
    )


def serve() -> None:
    """Fork a process for each request."""
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as written:
            child = os.fork()
            if not child:
                os.dup2(written.fileno(), 1)
                os.dup2(written.fileno(), 2)
                os.environ.update(request["environ"])
                _end_with(*request["arguments"])
            _, status = os.waitpid(child, 0)
            written.seek(0)
            ended = Ended(returncode=os.waitstatus_to_exitcode(status), stderr=written.read().decode())
        sys.stdout.write(json.dumps(asdict(ended)) + "\n")
        sys.stdout.flush()


def _end_with(*arguments: Any) -> NoReturn:
    try:
        main(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


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
    replay(store, Choice(), rate=1_000, folder=Path(folder), clock=MovedClock())


if __name__ == "__main__":
    serve()

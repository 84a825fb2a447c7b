"""A worker whose handler does to its own process what a message's `does` says. Its effect is a line in a file."""

import logging
import os
import resource
import signal
import threading
import time
from pathlib import Path

from fargate_workers_runtime import Message, run
from fargate_workers_runtime.telemetry import line_writer

FOLDER = Path(os.environ["TEST_FOLDER"])

_log = logging.getLogger(__name__)
_leaked: list[object] = []


def handle(message: Message) -> None:
    order_id = message.body["order_id"]
    _append("begun", f"{os.getpid()} {order_id} {message.receive_count}")
    match message.body.get("does"):
        case "fill the disk":
            _write(FOLDER / f"scratch-{order_id}", megabytes=4)
        case "eat memory":
            while True:
                _leaked.append(bytearray(16 << 20))
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when the task's memory is used up
        case "hang" if message.receive_count == 1:
            threading.Event().wait()
        case "loop" if message.receive_count == 1:
            while True:
                pass
        case "log":
            _log.info("x" * 4_000)
        case "leak":
            _leaked.append((FOLDER / "begun").open())
        case _:
            pass
    _append("effects", order_id)


def _write(path: Path, *, megabytes: int) -> None:
    try:
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(b"x" * (1 << 20))
    except OSError:
        (FOLDER / "full").touch()
        raise
    finally:
        path.unlink()


def _append(name: str, line: str) -> None:
    with (FOLDER / name).open("a") as file:
        file.write(f"{line}\n")


def _limit() -> None:
    for variable, what in (("LIMIT_FILE_BYTES", resource.RLIMIT_FSIZE), ("LIMIT_MEMORY_BYTES", resource.RLIMIT_AS)):
        if bound := os.environ.get(variable):
            resource.setrlimit(what, (int(bound), resource.getrlimit(what)[1]))


def _relax_when_asked() -> None:
    """Free the disk when the file `free` appears."""
    while not (FOLDER / "free").exists():
        time.sleep(0.01)  # a poll's pace
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    line_writer.MOST_WAITING = int(os.environ.get("LOG_BYTES") or line_writer.MOST_WAITING)
    _limit()
    threading.Thread(target=_relax_when_asked, daemon=True).start()
    run(handle, idempotency_key="/order_id")

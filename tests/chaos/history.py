"""What happened, in the order in which it happened: one line an event, appended by every process to one file."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

#: Of a handler: it has `begun`; it made the message's `effect`; it `raised`; it will be `deaf` to its cancellation, so
#: that its process is replaced. Of the claims: the effect is `recorded`.
#: Of a process: it was `killed`, by whomever, or `frozen` and `thawed`; it was `asked` to stop, and `ended` by itself.
What = Literal["begun", "effect", "raised", "deaf", "recorded", "killed", "frozen", "thawed", "asked", "ended"]


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        at: Seconds, of the clock that all processes of a machine share.
        process: The number of the process; no two of a run have the same.
        key: The message's idempotency key. Empty for events of a process.
        message: The message's id; of `ended`, the exit code.
    """

    at: float
    what: What
    process: int
    key: str = ""
    message: str = ""


class History:
    """The file. A line goes there in one write, which a SIGKILL does not tear."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, what: What, process: int, key: str = "", message: str = "") -> None:
        os.write(self._descriptor, f"{time.monotonic():.6f} {what} {process} {key} {message}\n".encode())

    def close(self) -> None:
        os.close(self._descriptor)


def history(path: Path) -> Iterator[Event]:
    """Every event in the file."""
    with path.open() as file:
        for line in file:
            at, what, process, key, message = line.rstrip("\n").split(" ")
            yield Event(float(at), cast("What", what), int(process), key, message)

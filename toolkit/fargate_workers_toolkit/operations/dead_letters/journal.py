"""The journal of a replay or a purge: JSON lines on disk, written before anything is deleted."""

import base64
import fcntl
import json
import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources import DeadLetter

VERSION = 1


def journal_folder(environment: str, store: str, *, root: Path | None = None) -> Path:
    """The folder of the journals of one store.

    Args:
        environment: The environment.
        store: The name of the store.
        root: The folder of all journals. Defaults to `fargate-workers` in XDG_STATE_HOME, or in `~/.local/state`.
    """
    if root is None:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        root = Path(state) / "fargate-workers"
    return root / environment / store


class Journal:
    """One journal, open for writing. Its lines hold bodies, so only its owner may read it.

    Args:
        path: The file.
        file: The file, open.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def begin(self, operation: str, header: Mapping[str, object]) -> None:
        """Begin the journal with what is done.

        Args:
            operation: What.
            header: On what, chosen how, by which person.
        """
        self._write({"event": "begin", "version": VERSION, "operation": operation, "at": time.time(), **header})

    def taken(self, letter: DeadLetter) -> None:
        """Keep a letter, whole, before it is sent or deleted.

        Args:
            letter: The letter.
        """
        self._write(
            {
                "event": "taken",
                "id": letter.id,
                "body": letter.body,
                "reason": letter.reason,
                "error": letter.error,
                "group": letter.group,
                "died_at": letter.died_at,
                "original_id": letter.original_id,
                "attributes": dict(letter.attributes),
                "native": _as_json(letter.native),
            }
        )

    def sent(self, letter: DeadLetter, sent_as: str) -> None:
        """Note that a letter was sent, and wait for the disk: it may be deleted now.

        Args:
            letter: The letter.
            sent_as: The id of the message that was sent.
        """
        self._write({"event": "sent", "id": letter.id, "died_at": letter.died_at, "as": sent_as})
        self.sync()

    def deleted(self, letter: DeadLetter) -> None:
        """Note that a letter was deleted.

        Args:
            letter: The letter.
        """
        self._write({"event": "deleted", "id": letter.id})

    def end(self, **counts: object) -> None:
        """Note that all is done.

        Args:
            counts: What was done.
        """
        self._write({"event": "end", "at": time.time(), **counts})
        self.sync()

    def sync(self) -> None:
        """Wait until the disk has every line."""
        os.fsync(self._file.fileno())

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()


@contextmanager
def writing(folder: Path, operation: str, header: Mapping[str, object]) -> Generator[Journal]:
    """Open a new journal, alone on this machine for its store.

    Args:
        folder: The folder of the store's journals.
        operation: What is done.
        header: What its first line holds besides: on what, chosen how, by which person.

    Yields:
        The journal.

    Raises:
        OperationsError: It cannot be written, or another command on this machine writes one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise OperationsError(
            f"The journal cannot be written to {folder} ({error.strerror}), and nothing is deleted without it; "
            "give another folder with --journal."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OperationsError(
                f"Another command on this machine is replaying or purging these letters ({folder}); wait for its end."
            ) from None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = folder / f"{stamp}-{os.getpid()}-{operation}.jsonl"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            journal = Journal(path, file)
            journal.begin(operation, header)
            yield journal


def sent_and_not_deleted(folder: Path) -> dict[str, float | None]:
    """The letters that an interrupted replay has sent, and may not have deleted: they must not be sent again.

    Args:
        folder: The folder of the store's journals.

    Returns:
        When each died, by its id: a topic that was made anew gives the same id to another. None: an older journal.
    """
    found: dict[str, float | None] = {}
    for path in sorted(folder.glob("*-replay.jsonl")):
        sent: dict[str, float | None] = {}
        for line in _lines(path):
            match line.get("event"):
                case "sent":
                    sent[str(line.get("id"))] = line.get("died_at")
                case "deleted":
                    sent.pop(str(line.get("id")), None)
                case _:
                    continue
        found |= sent
    return found


def _lines(path: Path) -> Generator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                value: object = json.loads(line)
            except ValueError:  # the last line of a process that was killed while it wrote
                continue
            if isinstance(value, dict):
                yield cast("dict[str, Any]", value)


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in cast("Sequence[Any]", value)]
    return value

"""The stand: the counting server in a process of its own, and what is put on it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.doubles.aws_server import HOST

ROOT = Path(__file__).parents[2]
#: What a client needs to speak to the server; its signatures are not checked.
CLIENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": HOST,
}
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_POLL_SECONDS = 0.05


class TooSlowError(Exception):
    """Something did not happen in time."""


class StandQueue:
    """One queue on the stand."""

    def __init__(self, stand: "Stand", name: str, *, visibility_timeout: int, max_receive_count: int) -> None:
        self.name = name
        self._stand = stand
        self._settings = {"visibility_timeout": visibility_timeout, "max_receive_count": max_receive_count}
        self.url = self.reset()
        self.dead_letter_queue_url = f"{self.url}-dead-letters"

    def reset(self) -> str:
        """Begin anew, with no message and nothing counted; returns the URL, which stays."""
        return str(self._stand.ask("POST", f"queues/{self.name}", self._settings)["url"])

    def send(self, messages: Iterable[str | Mapping[str, Any]], *, per_second: float | None = None) -> list[str]:
        """Send bodies, or messages as `messages` gives them, at once, or so many a second from now on.

        Returns the ids of those sent at once.
        """
        whole = [{"body": message} if isinstance(message, str) else message for message in messages]
        request = {"messages": whole, "per_second": per_second}
        return list(self._stand.ask("POST", f"queues/{self.name}/messages", request)["ids"])

    def counters(self) -> dict[str, Any]:
        return self._stand.ask("GET", f"queues/{self.name}")

    def messages(self) -> list[dict[str, Any]]:
        return list(self._stand.ask("GET", f"queues/{self.name}/messages")["messages"])

    def dead_letters(self) -> list[dict[str, Any]]:
        return list(self._stand.ask("GET", f"queues/{self.name}-dead-letters/messages")["messages"])

    def wait(self, reached: Callable[[dict[str, Any]], bool], *, seconds: float) -> dict[str, Any]:
        """The counters, once they have `reached` what is waited for.

        Raises:
            TooSlowError: They have not, within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not reached(counters := self.counters()):
            if time.monotonic() > deadline:
                raise TooSlowError(f"{self.name} did not get there within {seconds:.0f} s; its counters are {counters}")
            time.sleep(_POLL_SECONDS)
        return counters


class Stand:
    """A server that lives as long as the block.

    with Stand() as stand:
        queue = stand.queue("orders")
        queue.send(["{}"] * 10_000)
    """

    def __init__(self, *, latency_milliseconds: float = 8) -> None:
        self._start("tests.doubles.aws_server", f"--latency-milliseconds={latency_milliseconds}")

    def _start(self, module: str, *options: str) -> None:
        """Start the server, which prints its port."""
        self._server = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        self.endpoint = f"http://{HOST}:{int(self._server.stdout.readline())}"
        self._queues = 0

    def __enter__(self) -> "Stand":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.communicate(timeout=10)  # closing its standard input ends it

    @property
    def client(self) -> dict[str, str]:
        """The environment of a program that is to find this server."""
        return {**CLIENT, "AWS_ENDPOINT_URL": self.endpoint}

    def queue(self, name: str, *, visibility_timeout: int = 120, max_receive_count: int = 5) -> StandQueue:
        """A new queue, with a dead-letter queue; a number makes its name one of a kind."""
        self._queues += 1
        numbered = f"{name}-{self._queues}"
        return StandQueue(self, numbered, visibility_timeout=visibility_timeout, max_receive_count=max_receive_count)

    def table(self, name: str) -> dict[str, Any]:
        """What was asked of a table of claims."""
        return self.ask("GET", f"tables/{name}")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Use the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/{path}", data=data, method=method)
        with _DIRECTLY.open(request, timeout=30) as response:
            return dict(json.load(response))

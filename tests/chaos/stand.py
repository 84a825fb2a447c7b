"""The server in a process of its own, and what is asked of it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.worker.stand import CLIENT

ROOT = Path(__file__).parents[2]
#: Seconds for an answer: of 20,000 messages, beside whatever else the machine does.
_PATIENCE = 600
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ChaosStand:
    """A server that lives as long as the block, with one queue.

    with ChaosStand(fifo=True, visibility=10, max_receives=100, seed=1) as stand:
        stand.send([{"body": "{}", "group": "a", "deduplication_id": "1"}])
    """

    def __init__(self, *, fifo: bool, visibility: int, max_receives: int, **options: Any) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.server", "--options", json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout
        self._sqs, self._dynamodb, self._control = (int(port) for port in self._server.stdout.readline().split())
        settings = {"fifo": fifo, "visibility_timeout": visibility, "max_receive_count": max_receives}
        urls = self.ask("POST", "queues/chaos", settings)
        self.url, self.letters_url = urls["url"], urls["letters"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=_PATIENCE)  # closing its standard input ends it

    @property
    def client(self) -> dict[str, str]:
        """The environment of a program that is to find this server."""
        ports = {"AWS_ENDPOINT_URL_SQS": self._sqs, "AWS_ENDPOINT_URL_DYNAMODB": self._dynamodb}
        return {**CLIENT, **{name: f"http://127.0.0.1:{port}" for name, port in ports.items()}}

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Returns the messages' ids."""
        return list(self.ask("POST", "queues/chaos/messages", {"messages": messages})["ids"])

    def counts(self) -> dict[str, int]:
        return self.ask("GET", "queues/chaos")

    def stories(self) -> dict[str, list[dict[str, Any]]]:
        return self.ask("GET", "queues/chaos/stories")

    def records(self) -> dict[str, Any]:
        return self.ask("GET", "records")

    def redrive(self) -> int:
        return int(self.ask("POST", "queues/chaos/redrive", {})["moved"])

    def begin_outage(self, **outage: Any) -> None:
        self.ask("POST", "queues/chaos/outages", outage)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Use the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._control}/{path}", data=data, method=method)
        with _DIRECTLY.open(request, timeout=_PATIENCE) as response:
            return dict(json.load(response))

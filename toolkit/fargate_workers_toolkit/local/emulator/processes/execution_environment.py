"""An execution environment of a function: one process, and the runtime interface by which it takes invocations.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fargate_workers_toolkit.local.emulator.processes.containers import Container

#: How often an invocation looks whether its process has ended, in seconds.
_LOOK = 0.05

_PATH = "/2018-06-01/runtime/"


@dataclass(kw_only=True)
class _Invocation:
    id: str
    event: object
    deadline: float
    answer: queue.SimpleQueue[tuple[bool, Any]] = field(default_factory=queue.SimpleQueue[tuple[bool, Any]])


class ExecutionEnvironment:
    """One environment. It runs one invocation at a time, and stands still between them but for what its process does.

    Args:
        start: Starts the process, given the address of the runtime interface.
        arn: The function.
    """

    def __init__(self, start: Callable[[str], Container], *, arn: str) -> None:
        self._arn = arn
        self._invocations: queue.SimpleQueue[_Invocation] = queue.SimpleQueue()
        self._current: _Invocation | None = None
        self._failed: dict[str, Any] | None = None
        self._read = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _requests_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True, name="runtime-interface").start()
        self._container = start(f"127.0.0.1:{self._server.server_address[1]}")

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._container.process.is_running

    def invoke(self, event: object, *, id: str, timeout: float) -> tuple[bool, Any]:
        """Run one invocation.

        Args:
            event: The event.
            id: The id of the invocation.
            timeout: Seconds after which it is ended, and its process with it.

        Returns:
            Whether it succeeded, and what it answered, or the error.
        """
        invocation = _Invocation(id=id, event=event, deadline=time.time() + timeout)
        self._current = invocation
        self._invocations.put(invocation)
        while True:
            try:
                return invocation.answer.get(timeout=_LOOK)
            except queue.Empty:
                pass
            if not self.is_running:
                return False, self._failed or _error("Runtime.ExitError", f"Runtime exited; see {self._log}")
            if time.time() >= invocation.deadline:
                self.end()
                return False, _error("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")

    def new_lines(self) -> list[str]:
        """What it wrote since the last call."""
        written = self._container.process.log.read_bytes()
        lines = written[self._read :]
        self._read = len(written)
        return lines.decode(errors="replace").splitlines()

    def end(self) -> None:
        """End its process."""
        self._container.remove()
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    @property
    def _log(self) -> str:
        return str(self._container.process.log)

    # What its process asks

    def next(self) -> _Invocation:
        """Wait for an invocation."""
        return self._invocations.get()

    def answer(self, path: str, body: bytes) -> None:
        """Take an answer or an error."""
        succeeded = path.endswith("/response")
        value = json.loads(body or b"null")
        if path == "init/error":
            self._failed = value
        elif self._current is not None and f"/{self._current.id}/" in path:
            self._current.answer.put((succeeded, value))

    def headers_of(self, invocation: _Invocation) -> Mapping[str, str]:
        """The headers of an invocation."""
        return {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
        }


def _requests_of(environment: ExecutionEnvironment) -> type[BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            invocation = environment.next()
            self._answer(200, json.dumps(invocation.event).encode(), environment.headers_of(invocation))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment.answer(self.path.removeprefix(_PATH), body)
            self._answer(202, b"{}", {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    return Requests


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": text}

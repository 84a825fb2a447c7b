"""Ports on loopback: a free one, and the wait until a server listens on its own."""

import socket
import time
from pathlib import Path

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.processes.containers import Container

START_SECONDS = 60


class ServerStartError(LocalError):
    """A server did not come up."""


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for_port(port: int, server: Container) -> None:
    """Wait until a server listens.

    Args:
        port: Its port.
        server: The server.

    Raises:
        ServerStartError: It ended, or 15 seconds were not enough; the text has the end of its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.is_running:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    log = Path(server.process.log).read_text(errors="replace")[-500:]
    raise ServerStartError(f"{server.name} did not listen on port {port}: {log}")

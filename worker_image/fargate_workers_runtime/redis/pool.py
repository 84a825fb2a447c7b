"""Connections to Redis that all clients of a process share, each client with timeouts of its own."""

import os
import queue
import random
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.retry import Retry

#: ElastiCache ends a connection that was authenticated by IAM after 12 hours, whatever is under way on it:
#: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
_LONGEST_SECONDS = 11 * 3600

#: How much shorter some connections live, so that a process does not open all anew at once.
_SPREAD = 0.2


class SharedConnections:
    """The connections of a process to one server: `most` at once, for all clients together.

    Attributes:
        moved_to: Where the server has sent its clients, as a host and a port; None: it is at its own address.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.moved_to: tuple[str, int] | None = None
        self._process = 0
        self.attach()

    def attach(self) -> None:
        """Begin anew in a forked child: it must not use its parent's connections."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self.opened: list[Any] = []
        # The last one used comes first; None stands for one that has not been opened yet.
        self.free: queue.LifoQueue[Any] = queue.LifoQueue(self.most)
        for _ in range(self.most):
            self.free.put_nowait(None)


class SharingPool(redis.BlockingConnectionPool):
    """redis-py's pool, whose connections are `shared` with other pools that are more or less patient.

    Args:
        patience: For connecting and for a command, in seconds; for a connection, twice as long.
        retry: How commands are tried again.
        clock: Seconds of any clock that goes on.
        options: For each connection.
    """

    def __init__(
        self,
        shared: SharedConnections,
        *,
        patience: float,
        retry: Retry,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self._shared = shared
        self._patience = patience
        self._retry = retry
        self.clock = clock
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            max_connections=shared.most,
            timeout=2 * patience,  # pyright: ignore[reportArgumentType]  only its annotation is int
            socket_connect_timeout=patience,
            socket_timeout=patience,
            retry=retry,
            **options,
        )

    def reset(self) -> None:
        """Called by redis-py when the pool is made, and when it is used in a forked child."""
        self._shared.attach()
        self.pool: Any = self
        self._connections = self._shared.opened
        self.pid: int = os.getpid()

    def follow(self, host: str, port: int) -> None:
        """Connect to another node from now on; connections that are open are led there when they are used next."""
        self._shared.moved_to = (host or self.connection_kwargs["host"], port)

    def return_home(self) -> None:
        """Connect to the server's own address again."""
        self._shared.moved_to = None

    # What redis-py does with the queue of free connections.

    def get(self, *, block: bool, timeout: float) -> Any:
        connection = self._shared.free.get(block=block, timeout=timeout)
        if connection is not None and connection.socket_timeout != self._patience:
            self._adapt(connection)
        if connection is not None:
            self._place(connection)
        return connection

    def put_nowait(self, connection: Any) -> None:
        self._shared.free.put_nowait(connection)

    @property
    def queue(self) -> Any:
        return self._shared.free.queue

    def make_connection(self) -> Any:
        connection = super().make_connection()
        self._place(connection)
        return connection

    def _place(self, connection: Any) -> None:
        """Let it lead to where the server is now, and not be older than the server lets it become."""
        now = self.clock()
        host, port = self._shared.moved_to or (self.connection_kwargs["host"], self.connection_kwargs["port"])
        if (connection.host, connection.port) != (host, port):
            connection.disconnect()
            connection.host, connection.port = host, port
        if getattr(connection, "renewed_at", now) <= now:
            connection.disconnect()
            connection.renewed_at = now + _LONGEST_SECONDS * random.uniform(1 - _SPREAD, 1)  # noqa: S311

    def _adapt(self, connection: Any) -> None:
        """Make a connection that another client has opened as patient as this one."""
        connection.socket_timeout = connection.socket_connect_timeout = self._patience
        connection.retry = self._retry
        if (socket := getattr(connection, "_sock", None)) is not None:
            socket.settimeout(self._patience)
        # redis-py's parsers remember the timeout, and set it again after each look whether something has come.
        parser = getattr(connection, "_parser", None)
        for part, name in ((getattr(parser, "_buffer", None), "socket_timeout"), (parser, "_socket_timeout")):
            if hasattr(part, name):
                setattr(part, name, self._patience)

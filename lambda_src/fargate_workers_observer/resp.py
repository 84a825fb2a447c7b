"""A connection to a Redis server: the few commands of an observer, sent together, in the protocol RESP2.

The functions are packed from their own folder alone, so that no client library comes with them; what is needed here is
one round trip of plain commands. https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import socket
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, BinaryIO, Self

#: A command: its name and arguments.
Command = Sequence[str | int]
#: What a server answers: text, a number, nothing, a list of answers, or an error in one's place.
Reply = Any

#: Seconds for connecting, and for each answer.
TIMEOUT = 5.0


class RedisError(Exception):
    """An error that the server answers."""


class Connection:
    """A connection to a server, open until it is closed. It is a context manager.

    Args:
        host: The server's name.
        port: Its port.
        tls: Whether to connect by TLS; its certificate is checked against the system's authorities. Defaults to True.
        user: The user to sign in as. Defaults to none.
        password: The user's password or token. Defaults to none.

    Raises:
        OSError: The server cannot be reached, or its certificate is not valid.
        RedisError: The server refuses the user.
    """

    def __init__(
        self, host: str, port: int, *, tls: bool = True, user: str | None = None, password: str | None = None
    ) -> None:
        plain = socket.create_connection((host, port), timeout=TIMEOUT)
        self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if tls else plain
        self._answers: BinaryIO = self._socket.makefile("rb")
        if user is not None:
            (reply,) = self.call([("AUTH", user, password or "")])
            if isinstance(reply, RedisError):
                self.close()
                raise reply

    def call(self, commands: Sequence[Command]) -> list[Reply]:
        """The answers to some commands, which are sent together; an error stands in its answer's place.

        Args:
            commands: The commands.

        Raises:
            OSError: The server does not answer in time, or has closed the connection.
        """
        self._socket.sendall(b"".join(_written(command) for command in commands))
        return [self._read() for _ in commands]

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> Reply:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("The server closed the connection.")
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        match kind:
            case b"+":
                return rest
            case b"-":
                return RedisError(rest)
            case b":":
                return int(rest)
            case b"$":
                return None if rest == "-1" else self._exactly(int(rest))
            case b"*":
                return None if rest == "-1" else [self._read() for _ in range(int(rest))]
            case _:
                raise ConnectionError(f"The server answered in a protocol that is not RESP2: {kind!r}.")

    def _exactly(self, size: int) -> str:
        text = self._answers.read(size + 2)
        if len(text) < size + 2:
            raise ConnectionError("The server closed the connection.")
        return text[:size].decode("utf-8", "replace")


def _written(command: Command) -> bytes:
    parts = [str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

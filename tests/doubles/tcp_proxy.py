"""A TCP proxy on loopback that loses what a test tells it to lose.

with TcpProxy(server.port) as proxy:
    client = redis.Redis(port=proxy.port)
    proxy.latency = 0.5  # seconds that every answer comes late
    proxy.reset()  # open connections are cut, and new ones as soon as they are made
    proxy.black_hole()  # connections stand and new ones are accepted; nothing is passed on or answered
    proxy.drop_next_answer()  # the server has done it, and the client hears only that the connection is lost
    proxy.heal()
    proxy.upstream = replica.port  # where new connections lead, as when a name moves to another server
"""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import Literal, Self

#: A close with this SO_LINGER sends a reset, not an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Connection:
    """One client's connection and, unless it was made in a black hole, the one to the server behind it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.swallowed = False
        self.loses_answer = False

    def cut(self) -> None:
        for writer in filter(None, (self.client, self.server)):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    def close(self) -> None:
        for writer in filter(None, (self.client, self.server)):
            writer.close()


class TcpProxy:
    """Passes connections on to `upstream`, a port of this machine, and counts those it `accepted`."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.latency = 0.0
        self.accepted = 0
        self.port = 0
        self._mode: Literal["pass", "reset", "black hole"] = "pass"
        self._drop_answer_to: bytes | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), name="tcp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def heal(self) -> None:
        """Pass everything again, at once. A connection that lost bytes is cut: its stream has a hole."""
        self.latency, self._drop_answer_to = 0.0, None
        self._set("pass")

    def reset(self) -> None:
        self._set("reset")

    def black_hole(self) -> None:
        self._set("black hole")

    def drop_next_answer(self, *, to: bytes = b"") -> None:
        """Lose the answer to the next request that contains `to`, with its connection."""
        self._drop_answer_to = to

    @property
    def answer_dropped(self) -> bool:
        """Whether the request of `drop_next_answer` has come."""
        return self._drop_answer_to is None

    def _set(self, mode: Literal["pass", "reset", "black hole"]) -> None:
        async def change() -> None:
            self._mode = mode
            for connection in self._connections.values():
                if mode == "reset" or (mode == "pass" and connection.swallowed):
                    connection.cut()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    async def _listen(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ended.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection, task = _Connection(writer), asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        try:
            if self._mode == "reset":
                connection.cut()
            elif self._mode == "black hole":
                connection.swallowed = True
                while await reader.read(65_536):
                    pass
            else:
                from_server, connection.server = await asyncio.open_connection("127.0.0.1", self.upstream)
                await self._pass(connection, reader, from_server)
        except (OSError, asyncio.CancelledError):
            # Cancelled at the very end only; asyncio's streams would log a task that says so.
            connection.cut()
        finally:
            connection.close()
            del self._connections[task]

    async def _pass(
        self, connection: _Connection, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader
    ) -> None:
        pumps = [
            asyncio.ensure_future(self._requests(connection, from_client)),
            asyncio.ensure_future(self._answers(connection, from_server)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        assert connection.server is not None
        while data := await reader.read(65_536):
            if self._mode == "black hole":
                connection.swallowed = True
                continue
            if self._drop_answer_to is not None and self._drop_answer_to in data:
                connection.loses_answer, self._drop_answer_to = True, None
            connection.server.write(data)
            await connection.server.drain()

    async def _answers(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            await asyncio.sleep(self.latency)
            if self._mode == "black hole":
                connection.swallowed = True
                continue
            if connection.loses_answer:
                connection.cut()
                return
            connection.client.write(data)
            await connection.client.drain()

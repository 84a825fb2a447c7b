"""The proxy that fault tests put between a client and its server."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.doubles.tcp_proxy import TcpProxy
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


class Echo:
    """A server that answers a request with itself, and remembers it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(65_536):
                self.heard.append(data)
                connection.sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept() waiting
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.port) as proxy:
        yield proxy


def connect(proxy: TcpProxy, *, timeout: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)


def ask(connection: socket.socket, request: bytes = b"ping") -> bytes:
    connection.sendall(request)
    return connection.recv(65_536)


def test_requests_and_answers_pass(proxy: TcpProxy) -> None:
    with connect(proxy) as one, connect(proxy) as two:
        assert ask(one, b"one") == b"one"
        assert ask(two, b"two") == b"two"
        assert ask(one, b"three") == b"three"
    assert proxy.accepted == 2


def test_a_large_answer_passes_whole(proxy: TcpProxy) -> None:
    payload = b"x" * 3_000_000
    with connect(proxy) as connection:
        threading.Thread(target=connection.sendall, args=(payload,), daemon=True).start()
        received = 0
        while received < len(payload):
            received += len(connection.recv(65_536))


def test_an_answer_comes_late_by_the_latency(proxy: TcpProxy) -> None:
    proxy.latency = 0.05
    with connect(proxy) as connection:
        started = time.monotonic()
        assert ask(connection) == b"ping"
        assert time.monotonic() - started >= 0.05


def test_a_reset_cuts_open_connections_and_new_ones(proxy: TcpProxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"
        proxy.reset()
        with pytest.raises(ConnectionError):
            ask(connection)
    with pytest.raises(ConnectionError), connect(proxy) as refused:
        ask(refused)
    proxy.heal()
    with connect(proxy) as connection:
        assert ask(connection) == b"ping"


def test_a_black_hole_accepts_and_answers_nothing(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as old:
        assert ask(old, b"before") == b"before"
        proxy.black_hole()
        with connect(proxy) as new:
            for lost in (old, new):
                lost.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    ask(lost, b"lost")
                lost.settimeout(PATIENCE)
        proxy.heal()
        with pytest.raises(ConnectionError):
            ask(old, b"after a hole in the stream")
    with connect(proxy) as connection:
        assert ask(connection, b"after") == b"after"
    assert echo.heard == [b"before", b"after"]


def test_a_dropped_answer_was_given_by_the_server(proxy: TcpProxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        proxy.drop_next_answer(to=b"pay")
        assert ask(connection, b"look") == b"look"
        assert not proxy.answer_dropped
        with pytest.raises(ConnectionError):
            ask(connection, b"pay 5")
    assert proxy.answer_dropped
    assert echo.heard == [b"look", b"pay 5"]
    with connect(proxy) as connection:
        assert ask(connection, b"pay 5") == b"pay 5"


def test_new_connections_lead_to_where_the_name_has_moved(proxy: TcpProxy) -> None:
    other = Echo()
    with connect(proxy) as old:
        assert ask(old, b"old") == b"old"
        proxy.upstream = other.port
        with connect(proxy) as new:
            assert ask(new, b"new") == b"new"
    assert other.heard == [b"new"]
    other.close()


def test_a_server_that_is_gone_looks_like_a_reset(proxy: TcpProxy, echo: Echo) -> None:
    echo.close()
    with pytest.raises(ConnectionError), connect(proxy) as connection:
        ask(connection)


def test_nothing_is_left_when_it_ends(echo: Echo, eventually: Eventually) -> None:
    before = threading.active_count()
    with TcpProxy(echo.port) as proxy:
        connection = connect(proxy)
        assert ask(connection) == b"ping"
    with connection, pytest.raises(ConnectionError):
        ask(connection)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    eventually(lambda: threading.active_count() <= before)

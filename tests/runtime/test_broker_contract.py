"""What holds for every broker. A new one joins by its rig.

SQS is played three times: by moto, by the benchmark's counting server, which knows no groups, and by the strict server
of the chaos runs; Kafka by Tansu, with classic groups, and by librdkafka's mock, with those of KIP-848. Time passes for
all of them when a test says so.
"""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fargate_workers_runtime.brokers.broker import AttemptCounter, Broker, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.function import InvocationBroker, deliveries_of
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.testing import Clock, MemoryQueue
from tests.chaos.server import ChaosServer
from tests.doubles.aws_server import Server
from tests.doubles.event_source import event_of
from tests.doubles.kafka_group import Group, header
from tests.doubles.kafka_servers import KafkaServer, mock_kafka, shared_tansu
from tests.patience import PATIENCE

#: Seconds. SQS gives the moment of the first delivery in whole milliseconds.
ROUNDING = 0.01
LEASE = 30
#: What some doubles of SQS let pass.
BEYOND, ENDED = "a lease beyond the longest", "the extension of a lease that ended"
#: What holds for the groups of Kafka alone; tests/runtime/kafka has tests of both.
TAKES_OVER, KEEPS_KEYS = "a reader that takes over what others had", "the order of keys, whatever was asked for"


@dataclass(kw_only=True)
class Rig:
    """A broker, and the world around it.

    Attributes:
        send: Sends a text, to a group if there is one.
        dead_letters: The text of each dead letter, and its reason.
        advance: Lets seconds pass.
        reader: Opens the same queue once more, as another process does.
        kinder: What this double of SQS lets pass, although SQS refuses it; or how this broker differs by its nature.
    """

    broker: Broker
    send: Callable[..., object]
    dead_letters: Callable[[], list[tuple[str, str]]]
    advance: Callable[[float], None]
    reader: Callable[[], Broker]
    kinder: frozenset[str] = frozenset()

    def needs_renewal(self) -> None:
        """Leave out a test of renewed leases where none is."""
        if not self.broker.capabilities.renews_leases:
            pytest.skip("renews_leases is False")

    def skip_for(self, difference: str) -> None:
        """Leave out a test that a broker's nature excepts."""
        if difference in self.kinder:
            pytest.skip(f"here is {difference}")

    def fill(self, *texts: str, group: str | None = None) -> None:
        for text in texts:
            self.send(text, group)

    def take(self, limit: int = 10) -> list[Delivery]:
        return self.broker.receive(limit, wait=0, lease=LEASE)

    def take_all(self) -> list[Delivery]:
        """Everything that can be received: a broker may bring less than it has."""
        taken: list[Delivery] = []
        while batch := self.take(self.broker.capabilities.largest_batch):
            taken += batch
        return taken


def texts(deliveries: list[Delivery]) -> list[str]:
    return sorted(each.text for each in deliveries)


# Rigs


@contextmanager
def memory(*, ordered: bool) -> Iterator[Rig]:
    clock = Clock()
    queue = MemoryQueue(fifo=ordered, clock=clock)
    yield Rig(
        broker=queue,
        send=lambda text, group: queue.send(text, group_id=group),
        dead_letters=lambda: [(letter.delivery.text, letter.reason) for letter in queue.dead_letters],
        advance=clock.advance,
        reader=lambda: queue,
    )


@contextmanager
def sqs_by_moto(*, ordered: bool) -> Iterator[Rig]:
    clock, looks = Clock(), itertools.count()
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        # For moto, what is visible from now on is visible after now: each look is a little later.
        patch.setattr("moto.sqs.models.unix_time_millis", lambda: clock() * 1000 + next(looks) / 1000)
        client = boto3.client("sqs", region_name="eu-west-1")
        suffix, attributes = (".fifo", {"FifoQueue": "true"}) if ordered else ("", {})
        live, dead = (
            client.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"]
            for name in ("live", "dead")
        )
        yield sqs_rig(lambda: client, live, dead, clock=clock, ordered=ordered, kinder=frozenset({BEYOND, ENDED}))


class CountingServer(Server):
    def queues(self, *, ordered: bool, clock: Clock) -> tuple[str, str]:
        self._make("live", clock=clock, max_receive_count=100)
        return f"{self._url}/live", f"{self._url}/live-dead-letters"


class StrictServer(ChaosServer):
    def queues(self, *, ordered: bool, clock: Clock) -> tuple[str, str]:
        made = self._make_queue("live", fifo=ordered, clock=clock, max_receive_count=100)
        return made["url"], made["letters"]


def sqs_by_counting_server(*, ordered: bool) -> AbstractContextManager[Rig]:
    server = CountingServer(latency=0)
    return served(server, server.start(), ordered=ordered, kinder=frozenset({BEYOND}))


def sqs_by_strict_server(*, ordered: bool) -> AbstractContextManager[Rig]:
    server = StrictServer(seed=1)
    return served(server, server.open(), ordered=ordered)


@contextmanager
def served(
    server: CountingServer | StrictServer,
    opening: Coroutine[Any, Any, Any],
    *,
    ordered: bool,
    kinder: frozenset[str] = frozenset(),
) -> Iterator[Rig]:
    """A server in this process, so that a test can hold its clock."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(opening, loop).result(PATIENCE)
    clock, clients = Clock(), list[Any]()
    live, dead = server.queues(ordered=ordered, clock=clock)

    def client() -> Any:
        clients.append(boto3.client("sqs", endpoint_url=live.rpartition("/")[0], region_name="eu-west-1"))
        return clients[-1]

    try:
        yield sqs_rig(client, live, dead, clock=clock, ordered=ordered, kinder=kinder)
    finally:
        for each in clients:
            each.close()
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def sqs_rig(
    client: Callable[[], Any], live: str, dead: str, *, clock: Clock, ordered: bool, kinder: frozenset[str]
) -> Rig:
    world = client()

    def send(text: str, group: str | None) -> None:
        grouped = {"MessageGroupId": group or "g", "MessageDeduplicationId": uuid.uuid4().hex} if ordered else {}
        world.send_message(QueueUrl=live, MessageBody=text, **grouped)

    def dead_letters() -> list[tuple[str, str]]:
        found = world.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [
            (each["Body"], each["MessageAttributes"]["dlq.reason"]["StringValue"]) for each in found.get("Messages", [])
        ]

    def reader() -> SqsBroker:
        return SqsBroker(client(), live, dead_letter_queue_url=dead)

    return Rig(
        broker=reader(),
        send=send,
        dead_letters=dead_letters,
        advance=clock.advance,
        reader=reader,
        kinder=kinder,
    )


class Invoked(InvocationBroker):
    """A function's broker with its event source mapping, which polls when it is read and deletes at once."""

    #: moto delivers a message twice to two that receive at once.
    polls = threading.Lock()

    def __init__(self, world: Broker) -> None:
        super().__init__(world)
        self._world = world
        self._ended = False

    def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:
        if self._ended:
            return []
        until = time.monotonic() + 3600
        with self.polls if wait == 0 else nullcontext():
            batch = self._world.receive(limit, wait=int(wait), lease=lease)
        if batch:
            self.begin(deliveries_of(event_of(batch), queue_name="orders"), until=until)
        return super().receive(limit, wait=0, lease=lease)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        failures = super().acknowledge(deliveries)
        failed = {failure.index for failure in failures}
        self._world.acknowledge([each for index, each in enumerate(deliveries) if index not in failed])
        return failures

    def close(self) -> None:
        self._ended = True
        super().close()


@contextmanager
def function_event(*, ordered: bool) -> Iterator[Rig]:
    with memory(ordered=ordered) as world:
        yield replace(world, broker=Invoked(world.broker), reader=lambda: Invoked(world.broker))


@contextmanager
def function_event_of_sqs(*, ordered: bool) -> Iterator[Rig]:
    with sqs_by_moto(ordered=ordered) as world:
        yield replace(world, broker=Invoked(world.broker), reader=lambda: Invoked(world.reader()))


@contextmanager
def kafka(server: KafkaServer, *, ordered: bool) -> Iterator[Rig]:
    clock = Clock()
    group = Group(server, clock=clock, ordered=ordered)
    try:
        yield Rig(
            broker=group.join(),
            send=group.sender.send,
            dead_letters=lambda: [(each.value().decode(), header(each, "dlq.reason")) for each in group.letters()],
            advance=clock.advance,
            reader=group.join,
            kinder=frozenset({TAKES_OVER, KEEPS_KEYS}),
        )
    finally:
        group.close()


@contextmanager
def kafka_by_mock(*, ordered: bool) -> Iterator[Rig]:
    with mock_kafka() as server, kafka(server, ordered=ordered) as rig:
        yield rig


@contextmanager
def kafka_by_tansu(*, ordered: bool) -> Iterator[Rig]:
    with kafka(shared_tansu(), ordered=ordered) as rig:
        yield rig


ORDERED = [
    memory,
    sqs_by_moto,
    sqs_by_strict_server,
    function_event,
    function_event_of_sqs,
    kafka_by_mock,
    kafka_by_tansu,
]
BROKERS = [*ORDERED, sqs_by_counting_server]


@pytest.fixture
def opened() -> Generator[ExitStack]:
    with ExitStack() as stack:
        yield stack


#: Rigs of a server that is started once for all, in their own folders: the fixture of the server, and the rig.
SERVED = {
    "redis_stream": ("valkey", "tests.runtime.redis_brokers.rigs", "stream_rig"),
    "redis_list": ("valkey", "tests.runtime.redis_brokers.rigs", "list_rig"),
}


def rig_of(request: pytest.FixtureRequest) -> AbstractContextManager[Rig]:
    """The rig that a parameter stands for, one of BROKERS or SERVED."""
    if request.param in SERVED:
        fixture, module, name = SERVED[request.param]
        return getattr(import_module(module), name)(request.getfixturevalue(fixture))
    return request.param(ordered=False)


@pytest.fixture(params=[*BROKERS, *SERVED], ids=lambda rig: getattr(rig, "__name__", rig))
def rig(request: pytest.FixtureRequest, opened: ExitStack) -> Rig:
    return opened.enter_context(rig_of(request))


@pytest.fixture(params=ORDERED, ids=lambda rig: rig.__name__)
def ordered(request: pytest.FixtureRequest, opened: ExitStack) -> Rig:
    return opened.enter_context(request.param(ordered=True))


class TestBroker:
    """The contract."""

    # Receiving

    def test_a_message_is_leased_and_comes_back_when_the_lease_ends(self, rig: Rig) -> None:
        rig.fill("a")
        (first,) = rig.take()
        assert first.text == "a"
        rig.advance(LEASE - 1)
        assert rig.take() == []
        rig.advance(1)
        (second,) = rig.take()
        assert (second.id, second.text) == (first.id, "a")

    def test_a_receive_brings_no_more_than_was_asked_for(self, rig: Rig) -> None:
        rig.fill(*"abc")
        assert len(rig.take(2)) == 2
        assert len(rig.take_all()) == 1

    def test_a_receive_that_waits_ends_when_a_message_arrives(self, rig: Rig) -> None:
        came: list[Delivery] = []
        waiting = threading.Thread(target=lambda: came.extend(rig.broker.receive(10, wait=20, lease=LEASE)))
        waiting.start()
        rig.fill("a")
        waiting.join(PATIENCE)
        assert texts(came) == ["a"]

    def test_readers_at_once_share_the_messages(self, rig: Rig) -> None:
        sent = [str(number) for number in range(60)]
        rig.fill(*sent)
        taken: list[list[Delivery]] = [[], []]
        brokers = [rig.broker, rig.reader()]

        def drain(number: int) -> None:
            while batch := brokers[number].receive(3, wait=0, lease=LEASE):
                taken[number] += batch

        readers = [threading.Thread(target=drain, args=(number,)) for number in range(2)]
        for each in readers:
            each.start()
        for each in readers:
            each.join(PATIENCE)
        assert texts(taken[0] + taken[1]) == sorted(sent)

    # Leases

    def test_an_extended_lease_ends_later(self, rig: Rig) -> None:
        rig.needs_renewal()
        rig.fill("a")
        taken = rig.take()
        rig.advance(LEASE - 5)
        assert rig.broker.extend(taken, LEASE) == []
        rig.advance(LEASE - 1)
        assert rig.take() == []
        rig.advance(1)
        assert texts(rig.take()) == ["a"]

    def test_a_lease_that_ended_is_not_extended(self, rig: Rig) -> None:
        rig.needs_renewal()
        if ENDED in rig.kinder:
            pytest.skip(f"here passes {ENDED}")
        rig.fill("a")
        taken = rig.take()
        rig.advance(LEASE)
        (failure,) = rig.broker.extend(taken, LEASE)
        assert (failure.index, failure.permanent) == (0, True)
        assert texts(rig.take()) == ["a"]

    # Endings

    def test_an_acknowledged_message_is_gone_for_good_however_often_it_is_acknowledged(self, rig: Rig) -> None:
        rig.fill("a")
        taken = rig.take()
        assert rig.broker.acknowledge(taken) == []
        assert rig.broker.acknowledge(taken) == []  # a lost answer may be asked for again
        rig.advance(LEASE)
        assert rig.take() == []

    def test_a_released_message_is_delivered_again_at_once(self, rig: Rig) -> None:
        rig.fill("a")
        (first,) = rig.take()
        assert rig.broker.release([(first, 0)]) == []
        (second,) = rig.take()
        assert second.id == first.id
        assert second.token != first.token

    def test_a_message_released_with_a_delay_is_delivered_after_it(self, rig: Rig) -> None:
        rig.fill("a")
        (first,) = rig.take()
        assert rig.broker.release([(first, 3 * LEASE)]) == []
        rig.advance(3 * LEASE - 1)
        assert rig.take() == []
        rig.advance(1)
        assert texts(rig.take()) == ["a"]

    def test_an_entry_that_fails_says_which_and_that_trying_again_is_no_use(self, rig: Rig) -> None:
        rig.fill(*"ab")
        first, second = rig.take_all()
        rig.broker.acknowledge([first])
        failures = rig.broker.release([(first, 0), (second, 0)])
        assert [(failure.index, failure.permanent) for failure in failures] == [(0, True)]
        assert texts(rig.take()) == [second.text]  # the others are carried out

    def test_a_dead_letter_has_its_reason_and_its_message_stays_leased_until_it_is_acknowledged(self, rig: Rig) -> None:
        rig.fill("{", "b")
        poison = next(each for each in rig.take_all() if each.text == "{")
        assert rig.broker.dead_letter([DeadLetter(delivery=poison, reason="not JSON", detail="line 1")]) == []
        assert rig.dead_letters() == [("{", "not JSON")]
        assert rig.take() == []
        assert rig.broker.acknowledge([poison]) == []
        rig.advance(LEASE)
        assert texts(rig.take_all()) == ["b"]

    def test_a_closed_broker_leaves_what_it_leased_to_the_end_of_the_lease(self, rig: Rig) -> None:
        rig.skip_for(TAKES_OVER)
        rig.fill(*"ab")
        other = rig.reader()
        first, second = rig.take_all()
        rig.broker.acknowledge([first])
        rig.broker.close()
        rig.broker.close()
        assert other.receive(10, wait=0, lease=LEASE) == []
        rig.advance(LEASE)
        assert texts(other.receive(10, wait=0, lease=LEASE)) == [second.text]

    # Counts

    def test_lag_is_what_waits_and_what_is_leased(self, rig: Rig) -> None:
        if rig.broker.lag() is None:
            pytest.skip("lag is None")
        rig.fill(*"abc")
        (taken,) = rig.take(1)
        assert rig.broker.lag() == Lag(waiting=2, leased=1)
        rig.broker.acknowledge([taken])
        assert rig.broker.lag() == Lag(waiting=2, leased=0)

    def test_a_delivery_says_how_long_ago_the_first_one_was_if_the_broker_knows(self, rig: Rig) -> None:
        rig.fill("a")
        (first,) = rig.take()
        rig.broker.release([(first, 0)])
        (second,) = rig.take()
        assert first.since_first is not None
        assert second.since_first is not None
        assert 0 <= first.since_first <= second.since_first + ROUNDING

    # Capabilities, in deed

    def test_the_largest_batch_is_carried_by_every_call(self, rig: Rig) -> None:
        size = rig.broker.capabilities.largest_batch
        rig.fill(*(str(number) for number in range(size)))
        taken = rig.take_all()
        assert len(taken) == size
        if rig.broker.capabilities.renews_leases:
            assert rig.broker.extend(taken, LEASE) == []
        assert rig.broker.release([(each, 0) for each in taken]) == []
        again = rig.take_all()
        assert rig.broker.dead_letter([DeadLetter(delivery=each, reason="x") for each in again]) == []
        assert rig.broker.acknowledge(again) == []
        rig.advance(LEASE)
        assert rig.take() == []

    def test_a_message_is_kept_for_as_long_as_the_longest_lease(self, rig: Rig) -> None:
        rig.needs_renewal()
        longest = rig.broker.capabilities.longest_lease
        rig.fill("a")
        taken = rig.take()
        rig.advance(LEASE / 2)
        most = (longest or 10**6) - LEASE // 2 - 1
        assert rig.broker.extend(taken, most) == []
        rig.advance(most - 1)
        assert rig.take() == []
        rig.advance(1)
        assert texts(rig.take()) == ["a"]

    def test_beyond_the_longest_lease_nothing_is_kept(self, rig: Rig) -> None:
        rig.needs_renewal()
        longest = rig.broker.capabilities.longest_lease
        if longest is None or BEYOND in rig.kinder:
            pytest.skip(f"here passes {BEYOND}")
        rig.fill("a")
        taken = rig.take()
        rig.advance(LEASE / 2)
        (failure,) = rig.broker.extend(taken, longest)
        assert failure.permanent

    def test_leases_renew_if_the_broker_says_so(self, rig: Rig) -> None:
        rig.fill("a")
        taken = rig.take()
        for _ in range(4):
            rig.advance(LEASE - 1)
            assert (rig.broker.extend(taken, LEASE) == []) is rig.broker.capabilities.renews_leases
        assert bool(rig.take()) is not rig.broker.capabilities.renews_leases

    def test_deliveries_are_counted_wherever_they_were_if_the_broker_says_so(self, rig: Rig) -> None:
        rig.skip_for(TAKES_OVER)
        rig.fill("a")
        counts = []
        for broker in (rig.broker, rig.reader(), rig.broker):
            (delivery,) = broker.receive(1, wait=0, lease=LEASE)
            counts.append(delivery.receive_count)
            rig.advance(LEASE)
        assert counts == ([1, 2, 3] if rig.broker.capabilities.counts_deliveries else [1, 1, 1])

    def test_a_second_reader_brings_something_unless_one_is_enough(self, rig: Rig) -> None:
        rig.skip_for(TAKES_OVER)
        rig.fill(*"ab")
        rig.take(1)
        second = rig.reader().receive(1, wait=0, lease=LEASE)
        assert bool(second) is not rig.broker.capabilities.one_reader

    def test_attempts_are_counted_for_the_next_delivery_if_the_broker_counts_them(self, rig: Rig) -> None:
        broker = rig.broker
        if not isinstance(broker, AttemptCounter):
            pytest.skip("it counts no attempts")
        rig.fill("a")
        (first,) = rig.take()
        assert (first.begun, first.failed) == (0, 0)
        assert broker.attempt_begins(first)
        broker.attempt_failed(first)
        assert broker.attempt_begins(first)
        broker.release([(first, 0)])  # the second one has not ended, and does not count
        (second,) = rig.take()
        assert (second.begun, second.failed) == (1, 1)
        assert not broker.attempt_begins(first)
        assert broker.attempt_begins(second)
        rig.advance(LEASE)
        (third,) = rig.take()
        assert (third.begun, third.failed) == (2, 1)  # it had a lease, and has not ended

    def test_no_order_is_promised_where_none_holds(self, rig: Rig, ordered: Rig) -> None:
        rig.skip_for(KEEPS_KEYS)
        assert not rig.broker.capabilities.orders_groups
        assert ordered.broker.capabilities.orders_groups

    # Order

    def test_a_group_is_delivered_in_order_and_held_while_an_earlier_one_is_leased(self, ordered: Rig) -> None:
        ordered.fill("a1", "a2", group="a")
        ordered.fill("b1", group="b")
        taken = ordered.take(1) + ordered.take(1)
        first = {each.group_id: each for each in taken}
        assert (first["a"].text, first["b"].text) == ("a1", "b1")
        assert ordered.take() == []
        ordered.broker.acknowledge([first["a"]])
        assert texts(ordered.take()) == ["a2"]

    def test_a_dead_letter_of_a_group_arrives_too(self, ordered: Rig) -> None:
        ordered.fill("a", group="g")
        letters = [DeadLetter(delivery=each, reason="poison") for each in ordered.take()]
        assert ordered.broker.dead_letter(letters) == []
        assert ordered.dead_letters() == [("a", "poison")]

    @pytest.mark.parametrize("head_first", [True, False])
    def test_a_group_that_is_released_is_held_by_its_first_in_whichever_order_it_was_sent(
        self, ordered: Rig, head_first: bool
    ) -> None:
        ordered.fill("a1", "a2", "a3", group="a")
        head, *rest = ordered.take()
        releases = [(head, 60), *((each, 0) for each in rest)]
        for each in releases if head_first else reversed(releases):
            assert ordered.broker.release([each]) == []
        assert ordered.take() == []
        ordered.advance(60)
        assert [each.text for each in ordered.take()] == ["a1", "a2", "a3"]

    def test_the_rest_of_a_group_may_be_released_while_its_first_runs(self, ordered: Rig) -> None:
        ordered.fill("a1", "a2", "a3", group="a")
        head, *rest = ordered.take()
        ordered.broker.release([(each, 0) for each in rest])
        assert ordered.take() == []
        ordered.broker.acknowledge([head])
        assert [each.text for each in ordered.take()] == ["a2", "a3"]

    def test_a_token_is_the_brokers_alone(self, rig: Rig) -> None:
        rig.fill("a")
        (taken,) = rig.take()
        unknown = replace(taken, token=f"{taken.token}0")
        assert [failure.permanent for failure in rig.broker.extend([unknown], LEASE)] == [True]

"""What a failover loses: exactly what its replica had never received; and what a producer can know of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from fargate_workers_runtime.brokers.redis_lists import list_producer, open_list
from fargate_workers_runtime.brokers.redis_streams import NotReplicated, open_stream, stream_producer
from tests.doubles.durable_redis import DurableRedis
from tests.doubles.tcp_proxy import TcpProxy

NAMES = {
    "STREAM_NAME": "orders",
    "STREAM_GROUP": "apply",
    "STREAM_DEAD_LETTERS": "{orders}:dead",
    "LIST_NAME": "jobs",
    "LIST_DEAD_LETTERS": "{jobs}:dead",
}


@dataclass
class Pair:
    """A primary, its replica, and the link between the two."""

    server: DurableRedis
    link: TcpProxy
    replica: redis.Redis

    @property
    def environment(self) -> dict[str, str]:
        return {**self.server.environment, **NAMES}

    def catch_up(self) -> None:
        """Wait until the replica has everything that the primary has."""
        primary = self.server.direct
        while (
            primary.info("replication")["master_repl_offset"] != self.replica.info("replication")["slave_repl_offset"]
        ):
            time.sleep(0.005)  # a poll's pace


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with DurableRedis(tmp_path) as server, TcpProxy(server.primary.port) as link:
        yield Pair(server, link, server.add_replica(through=link))


def opened(kind: str, environment: dict[str, str]) -> tuple[Any, Callable[[str], str]]:
    if kind == "stream":
        return open_stream(environment), stream_producer(environment).send
    return open_list(environment), list_producer(environment).send


def drained(broker: Any, *, lease: int = 1) -> set[str]:
    """Handle everything that comes until nothing has come for longer than a lease."""
    handled: set[str] = set()
    while True:
        try:
            taken = broker.receive(10, wait=lease + 1, lease=lease)
        except redis.ConnectionError:  # the connection that the old primary has ended
            continue
        if not taken:
            return handled
        handled |= {each.id for each in taken}
        assert broker.acknowledge(taken) == []


@pytest.mark.parametrize("kind", ["stream", "list"])
def test_a_failover_loses_what_the_replica_had_never_received_and_nothing_else(pair: Pair, kind: str) -> None:
    broker, send = opened(kind, pair.environment)
    received_by_the_replica = {send(str(number)) for number in range(60)}
    pair.catch_up()
    early = broker.receive(10, wait=0, lease=1)  # leased on both
    broker.acknowledge(early)
    in_hand = broker.receive(10, wait=0, lease=1)
    pair.catch_up()
    pair.link.black_hole()
    never_received = {send(str(number)) for number in range(60, 100)}
    late = broker.receive(10, wait=0, lease=1)
    broker.acknowledge(late)  # which the replica never hears of
    pair.server.fail_over()
    handled = {each.id for each in (*early, *late)}
    again = drained(broker)
    sent = received_by_the_replica | never_received
    lost = sent - handled - again
    assert lost == never_received - handled
    assert len(lost) == 40
    assert {each.id for each in late} <= again, "an acknowledgement that was lost is a message once more"
    assert not {each.id for each in early} & again
    assert {each.id for each in in_hand} <= again
    assert broker.lag().waiting == broker.lag().leased == 0


def test_an_acknowledgement_after_the_failover_ends_what_was_received_before_it(pair: Pair) -> None:
    broker, send = opened("stream", pair.environment)
    send("a")
    broker.receive(1, wait=0, lease=60)
    send("b")
    pair.catch_up()
    pair.link.black_hole()
    in_hand = broker.receive(1, wait=0, lease=60)
    pair.server.fail_over()
    with suppress(redis.ConnectionError):  # the connection that the old primary has ended
        broker.acknowledge(in_hand)
    assert broker.acknowledge(in_hand) == []  # the new primary does not know of the delivery
    assert broker.receive(1, wait=0, lease=60) == []


def test_what_a_replica_has_confirmed_is_not_lost(pair: Pair) -> None:
    broker, _ = opened("stream", pair.environment)
    producer = stream_producer(pair.environment)
    confirmed = {producer.send(str(number), replicas=1, within=30) for number in range(20)}
    pair.link.black_hole()
    at_risk: set[str] = set()
    for number in range(3):
        with pytest.raises(NotReplicated) as raised:
            producer.send(str(number), replicas=1, within=0.01)
        at_risk.add(raised.value.entry_id)
    pair.server.fail_over()
    assert drained(broker) == confirmed
    assert len(at_risk) == 3

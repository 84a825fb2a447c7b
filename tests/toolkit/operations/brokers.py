"""Dead letters in a Redis stream, a Redis list and a Kafka topic of real servers, as the runtime puts them there."""

import json
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from fargate_workers_runtime.brokers import DeadLetter as Given
from fargate_workers_runtime.brokers.redis_lists import ListBroker, ListProducer, ListSettings
from fargate_workers_runtime.brokers.redis_streams import StreamBroker, StreamProducer, StreamSettings
from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import DeadLetterStore, Source, open_source
from tests.doubles.kafka_servers import KafkaServer, Sender

PLACE = Place(environment="test", account=None, region="eu-west-1", production=False, named_by="test")
GROUP = "apply"
PARTITIONS = 2


@dataclass(kw_only=True)
class Broker:
    """A source with dead letters, and what a test asks the server itself.

    Attributes:
        variables: The variables of the worker's container.
        die: Puts the letter of one order there, with a reason.
        arrived: The orders that lie in the source, in its order, with their attributes.
        footprint: Everything that a look could change.
    """

    variables: Mapping[str, str]
    die: Callable[[int, str], None]
    arrived: Callable[[], list[tuple[int, Mapping[str, str]]]]
    footprint: Callable[[], Any]

    @property
    def source(self) -> Source:
        return open_source(Aws(PLACE), self.variables, worker="Orders")

    @property
    def store(self) -> DeadLetterStore:
        store = self.source.dead_letters
        assert store is not None
        return store

    def fill(self, many: int) -> None:
        for number in range(many):
            self.die(number, f"schema: {number % 2}")

    def orders(self) -> list[int]:
        return [order for order, _ in self.arrived()]


def body(number: int) -> dict[str, int]:
    return {"order": number, "amount": number - 5}


@contextmanager
def redis_stream(port: int) -> Generator[Broker]:
    client = redis.Redis(host="127.0.0.1", port=port)
    name = f"{{orders-{uuid.uuid4().hex[:8]}}}"
    settings = StreamSettings(name=name, group=GROUP, dead_letters=f"{name}:dead")
    broker = StreamBroker(client, settings)
    producer = StreamProducer(client, name)

    def die(number: int, reason: str) -> None:
        producer.send(body(number), attributes={"tenant": f"tenant-{number % 2}"})
        (delivery,) = broker.receive(1, wait=0, lease=30)
        assert not broker.dead_letter([Given(delivery=delivery, reason=reason, detail="-1 is less than 0")])

    def arrived() -> list[tuple[int, Mapping[str, str]]]:
        entries: Any = client.xrange(name)
        found = [{key.decode(): value.decode() for key, value in fields.items()} for _, fields in entries]
        return [(json.loads(fields.pop("body"))["order"], fields) for fields in found]

    def footprint() -> Any:
        untyped: Any = client
        groups: Any = untyped.execute_command("XINFO", "GROUPS", name) if client.exists(name) else []
        return client.xrange(settings.dead_letters), client.xrange(name), groups, sorted(untyped.keys(f"*{name}*"))

    variables = {
        "BROKER": "redis-stream",
        "BROKER_REDIS_HOST": "127.0.0.1",
        "BROKER_REDIS_PORT": str(port),
        "BROKER_REDIS_TLS": "false",
        "STREAM_NAME": name,
        "STREAM_GROUP": GROUP,
        "STREAM_DEAD_LETTERS": f"{name}:dead",
    }
    yield Broker(variables=variables, die=die, arrived=arrived, footprint=footprint)
    client.close()


@contextmanager
def redis_list(port: int) -> Generator[Broker]:
    client = redis.Redis(host="127.0.0.1", port=port)
    name = f"{{orders-{uuid.uuid4().hex[:8]}}}"
    settings = ListSettings(name=name, dead_letters=f"{name}:dead")
    broker = ListBroker(client, settings)
    producer = ListProducer(client, name)

    def die(number: int, reason: str) -> None:
        producer.send(body(number))
        (delivery,) = broker.receive(1, wait=0, lease=30)
        assert not broker.dead_letter([Given(delivery=delivery, reason=reason, detail="-1 is less than 0")])

    def arrived() -> list[tuple[int, Mapping[str, str]]]:
        elements: Any = client.lrange(name, 0, -1)
        return [(json.loads(each.partition(b"|")[2])["order"], {}) for each in reversed(elements)]

    def footprint() -> Any:
        untyped: Any = client
        letters, waiting = untyped.lrange(settings.dead_letters, 0, -1), untyped.lrange(name, 0, -1)
        return letters, waiting, sorted(untyped.keys(f"*{name}*"))

    variables = {
        "BROKER": "redis-list",
        "BROKER_REDIS_HOST": "127.0.0.1",
        "BROKER_REDIS_PORT": str(port),
        "BROKER_REDIS_TLS": "false",
        "LIST_NAME": name,
        "LIST_DEAD_LETTERS": f"{name}:dead",
    }
    yield Broker(variables=variables, die=die, arrived=arrived, footprint=footprint)
    client.close()


@contextmanager
def kafka(server: KafkaServer) -> Generator[Broker]:
    partitions = 4 if server.group_protocol == "consumer" else PARTITIONS
    topic, dead = (server.topic(name, partitions=partitions) for name in ("orders", "orders.dead"))
    sender = Sender(server, dead)

    def die(number: int, reason: str) -> None:
        said = {
            "dlq.reason": reason,
            "dlq.error": "-1 is less than 0",
            "dlq.originalMessageId": f"{topic}/{number % 2}/{number}",
            "dlq.receiveCount": "10",
            "tenant": f"tenant-{number % 2}",
        }
        sender.send(
            json.dumps(body(number)),
            f"key-{number % 2}",
            headers=[(name, value.encode()) for name, value in said.items()],
            partition=number % 2,
        )
        sender.flush()

    def arrived() -> list[tuple[int, Mapping[str, str]]]:
        records: list[Any] = server.records(topic, partitions=partitions)
        assert all(record.key() == f"key-{record.partition()}".encode() for record in records)
        return [
            (json.loads(each.value())["order"], {name: value.decode() for name, value in each.headers() or []})
            for each in records
        ]

    def footprint() -> Any:
        commits = [server.committed(group, name, partitions=partitions) for group in GROUPS for name in (topic, dead)]
        return commits, len(server.records(dead, partitions=partitions, many=sum(sender.sent.values())))

    variables = {
        "BROKER": "kafka",
        "KAFKA_AUTHENTICATION": "plaintext",
        "KAFKA_BOOTSTRAP_SERVERS": server.servers,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP": GROUP,
        "KAFKA_DEAD_LETTER_TOPIC": dead,
    }
    yield Broker(variables=variables, die=die, arrived=arrived, footprint=footprint)


GROUPS = (GROUP, f"{GROUP}.dead-letters")

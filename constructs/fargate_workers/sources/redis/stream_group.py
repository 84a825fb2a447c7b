"""A consumer group of a Redis stream."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from constructs import Construct

from fargate_workers.cloudformation import qualified_name
from fargate_workers.sources.redis.keys import later_of
from fargate_workers.sources.redis.observer import SourceObserver
from fargate_workers.sources.redis.redis_source import RedisSource, connection_of
from fargate_workers.sources.source import Demand
from fargate_workers.stores import RedisCache


class StreamNames(NamedTuple):
    """The keys and bounds of a stream."""

    key: str
    dead_letters: str
    max_length: int
    retain_seconds: int
    lease_seconds: int
    max_receive_count: int


class GroupedStream(Protocol):
    """What a group needs of its stream; `RedisStream` is one."""

    cache: RedisCache
    names: StreamNames
    qualified_name: str

    def claim_group(self, group: str, worker: str) -> None:
        """Note which worker drains the stream by a group.

        Args:
            group: The name of the group.
            worker: The worker's path, for the error.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class StreamGroup:
    """A consumer group by which one worker drains a stream; `RedisStream.for_group` makes one. It is a `SharedSource`.

    Args:
        stream: The stream.
        name: The name of the group.
    """

    stream: GroupedStream
    name: str

    def for_worker(self, worker: Construct, demand: Demand) -> RedisSource:
        """The group as one worker's source of work; see `SharedSource`.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: The stream bears no further group, or the cache no further connections.
        """
        stream, names = self.stream, self.stream.names
        stream.claim_group(self.name, worker.node.path)
        source = f"{stream.qualified_name}/{self.name}"
        SourceObserver.of(stream.cache).observe(
            {
                "source": source,
                "stream": names.key,
                "group": self.name,
                "later": later_of(names.key, self.name),
                "dead_letters": names.dead_letters,
                **({"retained": True} if names.retain_seconds else {}),
            }
        )
        return RedisSource(
            cache=stream.cache,
            name=source,
            connection=connection_of(stream.cache, worker.node.id, demand),
            variables={
                "BROKER": "redis-stream",
                "STREAM_NAME": names.key,
                "STREAM_GROUP": self.name,
                "STREAM_MAX_LENGTH": str(names.max_length),
                "STREAM_DEAD_LETTERS": names.dead_letters,
                "STREAM_RETAIN_SECONDS": str(names.retain_seconds),
            },
            lease_seconds=names.lease_seconds,
            max_receive_count=names.max_receive_count,
            max_length=names.max_length,
            has_ages=True,
            qualified_name=qualified_name(worker),
        )

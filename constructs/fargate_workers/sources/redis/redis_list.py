"""A Redis list that a worker drains."""

from typing import Literal, get_args

from aws_cdk import Duration
from constructs import Construct

from fargate_workers.cloudformation import in_kebab_case, qualified_name, qualify
from fargate_workers.durations import in_seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.redis.keys import dead_letters_of, key_of, leases_of
from fargate_workers.sources.redis.observer import SourceObserver
from fargate_workers.sources.redis.redis_source import (
    RedisSource,
    check_cache,
    check_deliveries,
    claim_key,
    connection_of,
)
from fargate_workers.sources.redis.redis_stream import LEASE, MAX_RECEIVE_COUNT
from fargate_workers.sources.source import Demand
from fargate_workers.stores import RedisCache

Delivery = Literal["at-least-once", "at-most-once"]


class RedisList(Construct):
    """A Redis list in an existing cache, with a dead-letter list beside it.

        jobs = RedisList(self, "Jobs", cache=locks)
        QueueWorker(self, "Work", cluster=cluster, image=image, source=jobs)

    For producers that LPUSH already: first in, first out. A `RedisStream` is as quick, keeps ages, and has several
    groups; begin with that. The cache must not evict: eviction="noeviction". A failover loses what the replica had not
    received yet.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cache: The cache, with eviction="noeviction".
        name: The name of the list in the cache. Defaults to the id in lower case with hyphens.
        delivery: "at-least-once" leases what it takes, and gives it to another task when one dies. "at-most-once" takes
            it out for good: a task that dies loses what it had. Defaults to "at-least-once".
        lease: After how long another task takes over from one that died; workers renew it while they work. Defaults to
            120 s.
        max_receive_count: Deliveries after which an element goes to the dead-letter list. A guard: workers give up
            earlier, after failures (`QueueWorker`'s `max_attempts`). Defaults to 100.

    Attributes:
        cache: The cache.
        key: The key of the list.
        delivery: How elements are delivered.

    Raises:
        ConfigurationError: The cache evicts, or a value is out of its range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: RedisCache,
        name: str | None = None,
        delivery: Delivery = "at-least-once",
        lease: Duration | None = None,
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        super().__init__(scope, id)
        check_cache(id, cache)
        if delivery not in get_args(Delivery):
            raise ConfigurationError(f"{id}: delivery is {delivery!r}; use one of {', '.join(get_args(Delivery))}.")
        self._lease_seconds = in_seconds(lease, LEASE)
        check_deliveries(id, self._lease_seconds, max_receive_count)
        self._max_receive_count = max_receive_count
        self.cache: RedisCache = cache
        self.key: str = key_of(id, in_kebab_case(id) if name is None else name)
        self.delivery: Delivery = delivery
        claim_key(id, cache, self.key)
        self._source = qualify(scope, id)
        self._worker: str | None = None

    def for_worker(self, worker: Construct, demand: Demand) -> RedisSource:
        """The list as one worker's source of work; see `SharedSource`.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: The list has a worker already, or the cache bears no further connections.
        """
        if self._worker is not None:
            raise ConfigurationError(
                f"{worker.node.path}: the list {self.node.id} has a worker already, {self._worker}, and two would "
                "share its elements; take a RedisStream with retain=, or a second list."
            )
        self._worker = worker.node.path
        dead_letters = dead_letters_of(self.key)
        leased = [leases_of(self.key)] if self.delivery == "at-least-once" else []
        SourceObserver.of(self.cache).observe(
            {"source": self._source, "list": self.key, "leased": leased, "dead_letters": dead_letters}
        )
        return RedisSource(
            cache=self.cache,
            name=self._source,
            connection=connection_of(self.cache, worker.node.id, demand),
            variables={
                "BROKER": "redis-list",
                "LIST_NAME": self.key,
                "LIST_DEAD_LETTERS": dead_letters,
                "LIST_DELIVERY": self.delivery,
            },
            lease_seconds=self._lease_seconds,
            max_receive_count=self._max_receive_count if self.delivery == "at-least-once" else None,
            max_length=None,
            has_ages=False,
            qualified_name=qualified_name(worker),
        )

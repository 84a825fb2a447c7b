"""A Redis stream, which workers drain by consumer groups."""

from aws_cdk import Duration
from constructs import Construct

from fargate_workers.cloudformation import in_kebab_case, qualify
from fargate_workers.durations import in_seconds, in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.redis.keys import check_group_name, dead_letters_of, key_of
from fargate_workers.sources.redis.redis_source import RedisSource, check_cache, check_deliveries, claim_key
from fargate_workers.sources.redis.stream_group import StreamGroup, StreamNames
from fargate_workers.sources.source import Demand
from fargate_workers.stores import RedisCache

MAX_LENGTH = 100_000
LEASE = 120
MAX_RECEIVE_COUNT = 100


class RedisStream(Construct):
    """A Redis stream in an existing cache, with a dead-letter stream beside it.

        orders = RedisStream(self, "Orders", cache=locks)
        QueueWorker(self, "Apply", cluster=cluster, image=image, source=orders)

    The cache must not evict: eviction="noeviction". A stream stands in one slot, hence on one node, and costs nothing
    per message. A failover loses what the replica had not received yet: the newest entries, and acknowledgements, whose
    entries are delivered again. Without a replica, so does each replacement of the node.

    One worker drains it, by a consumer group that is called like the worker, and entries are deleted when it is done
    with them. For several workers, each of which receives every entry, say for how long entries stay: `retain`.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cache: The cache, with eviction="noeviction". Its memory must hold `max_length` entries.
        name: The name of the stream in the cache. Defaults to the id in lower case with hyphens.
        max_length: Entries that producers let it hold: at 80 % an alarm is raised, at 90 % the producer of the runtime
            refuses. Never do entries go to make room, for they would be lost. Defaults to 100000.
        retain: How long entries stay at most, for several groups: one goes when every group has ended it, at the latest
            at this age, so that a slower group loses it. Defaults to 0, one group.
        lease: After how long another task takes over from one that died; workers renew it while they work. Defaults to
            120 s.
        max_receive_count: Deliveries after which an entry goes to the dead-letter stream. A guard: workers give up
            earlier, after failures (`QueueWorker`'s `max_attempts`). Defaults to 100.

    Attributes:
        cache: The cache.
        names: The keys and bounds of the stream.

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
        max_length: int = MAX_LENGTH,
        retain: Duration | None = None,
        lease: Duration | None = None,
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        super().__init__(scope, id)
        check_cache(id, cache)
        key = key_of(id, in_kebab_case(id) if name is None else name)
        retain_seconds, lease_seconds = in_seconds(retain, 0), in_seconds(lease, LEASE)
        check_deliveries(id, lease_seconds, max_receive_count)
        if not 100 <= max_length <= 100_000_000:
            raise ConfigurationError(f"{id}: max_length is {max_length}; use 100 to 100000000.")
        if retain_seconds and not 60 <= retain_seconds <= 30 * 86_400:
            raise ConfigurationError(
                f"{id}: retain is {in_words(retain_seconds)}; use 60 s to 30 days, or leave it out."
            )
        claim_key(id, cache, key)
        self.cache: RedisCache = cache
        self.names: StreamNames = StreamNames(
            key=key,
            dead_letters=dead_letters_of(key),
            max_length=max_length,
            retain_seconds=retain_seconds,
            lease_seconds=lease_seconds,
            max_receive_count=max_receive_count,
        )
        self.qualified_name: str = qualify(scope, id)
        self._groups: dict[str, str] = {}

    def for_group(self, name: str) -> StreamGroup:
        """A consumer group by another name than the worker's own.

            QueueWorker(self, "Apply", cluster=cluster, image=image, source=clicks.for_group("count-clicks"))

        Args:
            name: The name of the group. With another name it begins anew, with all that is in the stream.

        Raises:
            ConfigurationError: The name has characters that are not for a group.
        """
        check_group_name(self.node.path, name)
        return StreamGroup(stream=self, name=name)

    def for_worker(self, worker: Construct, demand: Demand) -> RedisSource:
        """The stream as one worker's source of work, by a group that is called like the worker; see `SharedSource`.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: The stream bears no further group, or the cache no further connections.
        """
        return self.for_group(in_kebab_case(worker.node.id)).for_worker(worker, demand)

    def claim_group(self, group: str, worker: str) -> None:
        """Note which worker drains the stream by a group.

        Args:
            group: The name of the group.
            worker: The worker's path, for the error.

        Raises:
            ConfigurationError: The group has a worker already, or the stream has a group and deletes what it has done.
        """
        if group in self._groups:
            raise ConfigurationError(
                f"{worker}: the group {group} of the stream {self.node.id} has a worker already, "
                f"{self._groups[group]}, and two would share its entries; name another one by for_group(...)."
            )
        if self._groups and not self.names.retain_seconds:
            (other,) = self._groups.values()
            raise ConfigurationError(
                f"{worker}: the stream {self.node.id} is drained by {other}, and entries are deleted when that is done "
                "with them; for a second worker, say how long they stay: retain=Duration.days(1)."
            )
        self._groups[group] = worker

"""A stream's consumer group, or a list, as a worker's source of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from fargate_workers.access import Access
from fargate_workers.alarms import AlarmDefinition
from fargate_workers.alarms.catalogue import cache_command, observed_metric, redis_source_alarms
from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.lease import check_lease
from fargate_workers.sources.source import Demand, PlannerInput, Signals, TaskInNetwork
from fargate_workers.stores import RedisCache

# A bound of this library: what is in a cache is in its memory, and Lua copies it.
LARGEST_MESSAGE = 1024 * 1024
# Each process waits for entries by one connection; receivers, settlers and renewals take the others in turns.
CONNECTIONS_PER_PROCESS = 10

# By cache, the keys of its streams and lists, and whose they are.
_taken: WeakKeyDictionary[RedisCache, dict[str, str]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class RedisSource:
    """A stream or a list, as one worker drains it. It is a `WorkSource`, and stands in a network.

    Args:
        cache: The cache that holds it.
        name: The name that it goes by in metrics.
        connection: The permission and variables by which the tasks reach the cache.
        variables: The variables of the container that name it, and how it is drained.
        lease_seconds: Seconds after which another task takes over from one that died.
        max_receive_count: Deliveries after which an entry is given up. None: they are not counted.
        max_length: Entries that producers let it hold. None: no bound.
        has_ages: Whether entries have the time at which they were added.
        qualified_name: The worker's qualified name.
    """

    cache: RedisCache
    name: str
    connection: Access
    variables: Mapping[str, str]
    lease_seconds: int
    max_receive_count: int | None
    max_length: int | None
    has_ages: bool
    qualified_name: str

    @property
    def broker(self) -> str:
        """The name of the service that holds the messages."""
        return "Redis"

    @property
    def access(self) -> Access:
        """The permission to sign in to the cache, whose user may use every key; and the names."""
        variables = {
            **self.connection.environment,
            **self.variables,
            "VISIBILITY_TIMEOUT_SECONDS": str(self.lease_seconds),
        }
        return Access(self.connection.statements, variables)

    @property
    def looking(self) -> Sequence[Mapping[str, Any]]:
        """None: the cache has one user, who may write as well; a reader is left CloudWatch's numbers."""
        return []

    @property
    def replaying(self) -> Sequence[Mapping[str, Any]]:
        """The statements that dead letters take: to sign in to the cache."""
        return self.connection.statements

    @property
    def signals(self) -> Signals:
        """What the observer publishes every minute."""
        return Signals(
            backlog=observed_metric(self.name, "Waiting"),
            in_flight=observed_metric(self.name, "InFlight"),
            oldest_age=observed_metric(self.name, "OldestAge") if self.has_ages else None,
        )

    @property
    def planner_input(self) -> PlannerInput:
        """The name by which the planner reads the observer's metrics."""
        fields = {"redis": {"source": self.name}}
        return PlannerInput(fields=fields, longest=fields)

    def check_demand(self, worker: str, demand: Demand) -> None:
        """Compare what a worker needs with what the cache bears; see `WorkSource`.

        Args:
            worker: The id of the worker, for the error.
            demand: What it needs.

        Raises:
            ConfigurationError: Times or sizes do not fit.
        """
        if demand.max_processing_seconds < 1:
            raise ConfigurationError(f"{worker}: max_processing is 0 s; every entry takes a little, use 1 s or more.")
        if demand.acceptable_age_seconds < 60:
            raise ConfigurationError(
                f"{worker}: acceptable_age is {in_words(demand.acceptable_age_seconds)}; the observer looks once a "
                "minute: use 60 s or more."
            )
        if demand.max_message_bytes is not None and not 1 <= demand.max_message_bytes <= LARGEST_MESSAGE:
            raise ConfigurationError(
                f"{worker}: max_message_bytes is {demand.max_message_bytes}; use 1 to {LARGEST_MESSAGE}: what waits "
                "stays in the cache's memory, so keep what is larger in S3."
            )

    def work_alarms(self, demand: Demand, *, log_group_name: str) -> Sequence[AlarmDefinition]:
        """The alarms of the stream or list while a worker drains it; see `WorkSource`.

        Args:
            demand: What the worker needs.
            log_group_name: The name of the worker's log group, for the commands that an alarm names.
        """
        return redis_source_alarms(
            source=self.name,
            replication_group_id=self.cache.replication_group_id,
            qualified_name=self.qualified_name,
            log_group_name=log_group_name,
            acceptable_age_seconds=demand.acceptable_age_seconds,
            max_processing_seconds=demand.max_processing_seconds,
            max_length=self.max_length,
            has_ages=self.has_ages,
        )

    def look_command(self) -> str:
        """The AWS CLI command that shows the cache."""
        return cache_command(self.cache.replication_group_id)

    def let_in(self, task: TaskInNetwork) -> None:
        """Open the network between the worker's tasks and the cache; see `SourceInNetwork`.

        Args:
            task: The worker.
        """
        self.cache.let_in(task.connections)


def connection_of(cache: RedisCache, worker: str, demand: Demand) -> Access:
    """The permission and variables by which a worker's tasks reach a cache; counts their connections.

    Args:
        cache: The cache.
        worker: The id of the worker, for the error.
        demand: What it needs.

    Raises:
        ConfigurationError: The workers could open more connections than the cache bears.
    """
    return cache.access(
        f"{worker} (broker)",
        max_tasks=demand.max_tasks,
        connections_per_task=CONNECTIONS_PER_PROCESS * demand.processes,
        prefix="BROKER_REDIS_",
    )


def check_cache(id: str, cache: object) -> None:
    """Check that a cache keeps what it is given.

    Args:
        id: The id of the stream or list, for the error.
        cache: The cache.

    Raises:
        ConfigurationError: It is none, or it evicts keys when its memory is full.
    """
    if not isinstance(cache, RedisCache):
        raise ConfigurationError(f"{id}: cache is of type {type(cache).__name__}; give a RedisCache.")
    if cache.eviction != "noeviction":
        raise ConfigurationError(
            f'{id}: it is kept in a cache with eviction="{cache.eviction}", which evicts messages when its memory is '
            'full; make it one with eviction="noeviction".'
        )


def check_deliveries(id: str, seconds: int, max_receive_count: int) -> None:
    """Check the lease and the deliveries of a stream or a list.

    Args:
        id: The id of the stream or list, for the error.
        seconds: Seconds after which another task takes over from one that died.
        max_receive_count: Deliveries after which an entry is given up.

    Raises:
        ConfigurationError: One of them is out of its range.
    """
    check_lease(id, seconds)
    if not 1 <= max_receive_count <= 1_000:
        raise ConfigurationError(f"{id}: max_receive_count is {max_receive_count}; use 1 to 1000.")


def claim_key(id: str, cache: RedisCache, key: str) -> None:
    """Note which stream or list has a key of a cache.

    Args:
        id: The id of the stream or list.
        cache: The cache.
        key: The key.

    Raises:
        ConfigurationError: Another one has the same key.
    """
    taken = _taken.setdefault(cache, {})
    if key in taken:
        raise ConfigurationError(
            f"{id}: the cache {cache.node.id} keeps {taken[key]} under the name {key} already; give one of them "
            "another name."
        )
    taken[key] = id

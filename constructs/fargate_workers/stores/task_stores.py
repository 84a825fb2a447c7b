"""Which claims and which cache a task uses."""

from fargate_workers.access import Access
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores.deduplication_table import DeduplicationTable
from fargate_workers.stores.redis_cache import RedisCache

Claims = DeduplicationTable | RedisCache
_CLAIM_STORES = "a DeduplicationTable or a RedisCache, or to a QueueWorker a Database"


def one_cache(
    id: str, claims: Claims | None, cache: RedisCache | None, *, counts_rate: bool = False
) -> RedisCache | None:
    """The one cache that a task connects to, for its claims, its own data and its rate.

    Raises ConfigurationError for things that are neither, for two caches, and for one that evicts what must stay.
    """
    _check_type(id, "claims", claims, (DeduplicationTable, RedisCache), _CLAIM_STORES)
    _check_type(id, "cache", cache, (RedisCache,), "a RedisCache")
    claiming = claims if isinstance(claims, RedisCache) else None
    if claiming is not None and cache is not None and claiming is not cache:
        raise ConfigurationError(
            f"{id}: claims and cache are two caches, and a task connects to one; give one with "
            'eviction="noeviction" as both, or keep the claims in a DeduplicationTable.'
        )
    if claiming is not None and claiming.eviction != "noeviction":
        raise ConfigurationError(
            f'{id}: claims are kept in a cache with eviction="{claiming.eviction}", which evicts them when its memory '
            'is full; make it one with eviction="noeviction".'
        )
    redis = claiming if cache is None else cache
    if counts_rate and (redis is None or redis.eviction != "noeviction"):
        raise ConfigurationError(
            f'{id}: max_downstream_rate is counted in Redis; give a RedisCache with eviction="noeviction" as cache or '
            "claims."
        )
    return redis


def access_to(id: str, claims: Claims | None, redis: RedisCache | None, *, max_tasks: int) -> list[Access]:
    """The permissions and variables that the task needs; counts the connections of `max_tasks` tasks."""
    return [
        *([claims.access] if isinstance(claims, DeduplicationTable) else []),
        *([] if redis is None else [redis.access(id, max_tasks=max_tasks)]),
    ]


def claim_store(claims: Claims | None) -> Access:
    """The variable that names Redis; a table names itself."""
    return Access((), {"CLAIM_STORE": "redis"} if isinstance(claims, RedisCache) else {})


def _check_type(id: str, option: str, value: object, kinds: tuple[type, ...], names: str) -> None:
    if value is not None and not isinstance(value, kinds):
        raise ConfigurationError(f"{id}: {option} is of type {type(value).__name__}; give {names}.")

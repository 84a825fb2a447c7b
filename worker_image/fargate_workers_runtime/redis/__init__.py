"""What handlers, claims and brokers use of Redis.

Names load on first use: a worker without Redis neither installs nor loads its client, which takes 8 MB.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fargate_workers_runtime.redis.connection import connect_broker, connect_redis
    from fargate_workers_runtime.redis.hash_tags import companion, hash_tag
    from fargate_workers_runtime.redis.limiter import Limiter
    from fargate_workers_runtime.redis.read_through_cache import ReadThroughCache
    from fargate_workers_runtime.redis.serving import check_server, check_type
    from fargate_workers_runtime.redis.token_bucket import TokenBucket

_HOMES = {
    "Limiter": "limiter",
    "ReadThroughCache": "read_through_cache",
    "TokenBucket": "token_bucket",
    "companion": "hash_tags",
    "check_server": "serving",
    "check_type": "serving",
    "connect_broker": "connection",
    "connect_redis": "connection",
    "hash_tag": "hash_tags",
}

__all__ = [
    "Limiter",
    "ReadThroughCache",
    "TokenBucket",
    "check_server",
    "check_type",
    "companion",
    "connect_broker",
    "connect_redis",
    "hash_tag",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

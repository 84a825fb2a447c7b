"""Redis streams and Redis lists, and their dead letters."""

from fargate_workers_toolkit.operations.sources.redis.connecting import RedisServer
from fargate_workers_toolkit.operations.sources.redis.lists import RedisListSource
from fargate_workers_toolkit.operations.sources.redis.streams import RedisStreamSource

__all__ = ["RedisListSource", "RedisServer", "RedisStreamSource"]

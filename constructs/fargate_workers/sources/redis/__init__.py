"""Redis as a source of work: streams with consumer groups, lists, and the function that observes both."""

from fargate_workers.sources.redis.observer import SourceObserver
from fargate_workers.sources.redis.redis_list import Delivery, RedisList
from fargate_workers.sources.redis.redis_stream import RedisStream
from fargate_workers.sources.redis.stream_group import StreamGroup

__all__ = ["Delivery", "RedisList", "RedisStream", "SourceObserver", "StreamGroup"]

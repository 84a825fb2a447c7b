"""Redis Streams: a consumer group of a stream, and a producer that knows when the stream is full."""

from fargate_workers_runtime.brokers.redis_streams.opening import open_stream
from fargate_workers_runtime.brokers.redis_streams.producing import (
    NotReplicated,
    StreamFull,
    StreamProducer,
    stream_producer,
)
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.brokers.redis_streams.stream_broker import StreamBroker

__all__ = [
    "NotReplicated",
    "StreamBroker",
    "StreamFull",
    "StreamProducer",
    "StreamSettings",
    "open_stream",
    "stream_producer",
]

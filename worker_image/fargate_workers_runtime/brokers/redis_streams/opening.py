"""The stream that the environment names, opened."""

import logging
from collections.abc import Callable, Mapping

import redis

from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.brokers.redis_streams.stream_broker import StreamBroker
from fargate_workers_runtime.redis import connect_broker

_log = logging.getLogger(__name__)

#: A command that waits a second is answered by then, or not at all, in seconds.
_POLL_TIMEOUT = 4.0
_TIMEOUT = 2.0


def open_stream(
    environment: Mapping[str, str],
    *,
    max_receive_count: int = 0,
    trimmed: Callable[[int], None] = lambda _entries: None,
) -> StreamBroker:
    """The stream in the environment, on the server of BROKER_REDIS_HOST.

    Args:
        environment: The variables of the process, by name.
        max_receive_count: Deliveries after which an entry is dead-lettered without another one. Default: 0, no limit.
        trimmed: Called with the number of entries that were deleted before the group had ended them.

    Raises:
        SettingsError: A variable is missing or wrong, or the server would lose messages.
    """
    broker = StreamBroker(
        connect_broker(environment, timeout=_POLL_TIMEOUT),
        StreamSettings.from_environment(environment),
        prompt=connect_broker(environment, timeout=_TIMEOUT),
        max_receive_count=max_receive_count,
        trimmed=trimmed,
    )
    try:
        broker.prepare()
    except (redis.ConnectionError, redis.TimeoutError) as error:  # as any outage: the first receive tries again
        _log.warning("broker_unavailable", extra={"fields": {"error": type(error).__name__}})
    return broker

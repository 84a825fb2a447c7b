"""The stream that the environment names, opened."""

from collections.abc import Callable, Mapping

from fargate_workers_runtime.brokers.redis_broker import open_clients
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.brokers.redis_streams.stream_broker import StreamBroker


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
    settings = StreamSettings.from_environment(environment)
    polls, prompt = open_clients(environment)
    broker = StreamBroker(
        polls,
        settings,
        prompt=prompt,
        max_receive_count=max_receive_count,
        trimmed=trimmed,
    )
    broker.try_to_prepare()
    return broker

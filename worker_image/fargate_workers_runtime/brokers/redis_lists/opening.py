"""The list that the environment names, opened."""

import logging
from collections.abc import Mapping

import redis

from fargate_workers_runtime.brokers.redis_lists.list_broker import ListBroker
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_lists.unleased_broker import UnleasedListBroker
from fargate_workers_runtime.redis import connect_broker

_log = logging.getLogger(__name__)

#: A command that waits a second is answered by then, or not at all, in seconds.
_POLL_TIMEOUT = 4.0
_TIMEOUT = 2.0


def open_list(environment: Mapping[str, str], *, max_receive_count: int = 0) -> ListBroker:
    """The list in the environment, on the server of BROKER_REDIS_HOST.

    Args:
        environment: The variables of the process, by name.
        max_receive_count: Deliveries after which a message is dead-lettered without another one. Default: 0, no limit.

    Raises:
        SettingsError: A variable is missing or wrong, or the server would lose messages.
    """
    settings = ListSettings.from_environment(environment)
    polls = connect_broker(environment, timeout=_POLL_TIMEOUT)
    prompt = connect_broker(environment, timeout=_TIMEOUT)
    if settings.delivery == "at-most-once":
        broker: ListBroker = UnleasedListBroker(polls, settings, prompt=prompt)
    else:
        broker = ListBroker(polls, settings, prompt=prompt, max_receive_count=max_receive_count)
    try:
        broker.prepare()
    except (redis.ConnectionError, redis.TimeoutError) as error:  # as any outage: the first receive tries again
        _log.warning("broker_unavailable", extra={"fields": {"error": type(error).__name__}})
    return broker

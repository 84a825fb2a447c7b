"""The list that the environment names, opened."""

from collections.abc import Mapping

from fargate_workers_runtime.brokers.redis_broker import open_clients
from fargate_workers_runtime.brokers.redis_lists.list_broker import ListBroker
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_lists.unleased_broker import UnleasedListBroker


def open_list(environment: Mapping[str, str], *, max_receive_count: int = 0) -> ListBroker:
    """The list in the environment, on the server of BROKER_REDIS_HOST.

    Args:
        environment: The variables of the process, by name.
        max_receive_count: Deliveries after which a message is dead-lettered without another one. Default: 0, no limit.

    Raises:
        SettingsError: A variable is missing or wrong, or the server would lose messages.
    """
    settings = ListSettings.from_environment(environment)
    polls, prompt = open_clients(environment)
    if settings.delivery == "at-most-once":
        broker: ListBroker = UnleasedListBroker(polls, settings, prompt=prompt)
    else:
        broker = ListBroker(polls, settings, prompt=prompt, max_receive_count=max_receive_count)
    broker.try_to_prepare()
    return broker

"""The producer of a list: it gives each message an id, so that equal bodies stay two messages."""

import json
from collections.abc import Mapping
from typing import Any

import redis

from fargate_workers_runtime.brokers.redis_lists.elements import wrapped
from fargate_workers_runtime.redis import connect_broker
from fargate_workers_runtime.settings import text

#: For connecting and for a command, in seconds.
_TIMEOUT = 2.0


class ListFull(Exception):  # noqa: N818  it names the state, not a fault of the program
    """A message that was not sent: the server has no memory left."""


class ListProducer:
    """Sends messages to one list; its methods may be called from any thread.

    Args:
        client: A client of the server.
        name: The list's key.
    """

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._client = client
        self._name = name

    def send(self, body: Any) -> str:
        """Send a message; returns its id. An exception of the client leaves open whether it was sent.

        Args:
            body: Text, sent as it is; anything else is sent as JSON.

        Raises:
            ListFull: The server's memory is full; nothing was sent.
        """
        message_id, element = wrapped((body if isinstance(body, str) else json.dumps(body)).encode())
        try:
            self._client.lpush(self._name, element)
        except redis.OutOfMemoryError as error:
            raise ListFull(f"The server of {self._name} has no memory left.") from error
        return message_id


def list_producer(environment: Mapping[str, str]) -> ListProducer:
    """A producer for the list in the environment: LIST_NAME, and the server in BROKER_REDIS_*.

    Args:
        environment: The variables of the process, by name.

    Raises:
        SettingsError: A variable is missing or wrong.

    Example:
        >>> list_producer(os.environ).send({"order_id": "1"})  # doctest: +SKIP
        '019e4a3c0b7d5f1e6a2b9c8d7e6f5a4b'
    """
    return ListProducer(connect_broker(environment, timeout=_TIMEOUT), text(environment, "LIST_NAME"))

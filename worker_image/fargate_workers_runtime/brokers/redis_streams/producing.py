"""The producer of a stream: it refuses to send to a stream that is nearly full, where Redis would delete the oldest."""

import json
from collections.abc import Mapping
from typing import Any

import redis

from fargate_workers_runtime.brokers.redis_streams.entries import BODY
from fargate_workers_runtime.brokers.redis_streams.scripts import ADD
from fargate_workers_runtime.redis import connect_broker
from fargate_workers_runtime.settings import number, text

#: The part of STREAM_MAX_LENGTH that producers fill; the rest is for those that do not ask.
_FULL = 0.9

#: For connecting and for a command, in seconds.
_TIMEOUT = 2.0

#: The field of an entry that holds its key.
KEY = "key"


class StreamFull(Exception):  # noqa: N818  it names the state, not a fault of the program
    """A message that was not sent: the stream holds 90 % of STREAM_MAX_LENGTH, or the server has no memory left."""


class NotReplicated(Exception):  # noqa: N818  as above
    """A message that was sent, and that not enough replicas had confirmed in time: a failover may lose it.

    Args:
        entry_id: The id that the entry has on the primary.
        confirmed: The replicas that had it in time.
    """

    def __init__(self, entry_id: str, confirmed: int) -> None:
        super().__init__(f"The message is stored as {entry_id}, and {confirmed} replicas have confirmed it.")
        self.entry_id = entry_id
        self.confirmed = confirmed


class StreamProducer:
    """Sends messages to one stream; its methods may be called from any thread.

    Args:
        client: A client of the server.
        name: The stream's key.
        max_length: The entries that the stream is made for. Default: 0, no limit.
    """

    def __init__(self, client: redis.Redis, name: str, *, max_length: int = 0) -> None:
        self._client = client
        self._name = name
        self._most = int(max_length * _FULL)
        self._add = client.register_script(ADD)

    def send(
        self,
        body: Any,
        *,
        key: str | None = None,
        attributes: Mapping[str, str] | None = None,
        replicas: int = 0,
        within: float = 0.1,
    ) -> str:
        """Send a message; returns its id. An exception of the client leaves open whether it was sent.

        Args:
            body: Text, sent as it is; anything else is sent as JSON.
            key: A business id, for the handler, in the attribute `key`. It keeps no order. Default: none.
            attributes: Text by name. Default: none.
            replicas: How many replicas must have confirmed the message. Default: 0; the primary's word is enough.
            within: Seconds to wait for them. Default: 0.1.

        Raises:
            StreamFull: The stream, or the server's memory, is full; nothing was sent.
            NotReplicated: The message was sent, and fewer replicas have confirmed it in time.
        """
        fields: list[str] = [BODY, body if isinstance(body, str) else json.dumps(body)]
        for name, value in {**(attributes or {}), **({} if key is None else {KEY: key})}.items():
            fields += [name, value]
        if not replicas:
            return self._send(self._client, fields)
        # Replicas are asked for what this very connection has written.
        with self._client.client() as connection:
            entry_id = self._send(connection, fields)
            untyped: Any = connection
            confirmed = int(untyped.wait(replicas, max(1, int(within * 1000))))
        if confirmed < replicas:
            raise NotReplicated(entry_id, confirmed)
        return entry_id

    def _send(self, client: redis.Redis, fields: list[str]) -> str:
        try:
            answer: Any = self._add(keys=[self._name], args=[self._most, *fields], client=client)
        except redis.OutOfMemoryError as error:
            raise StreamFull(f"The server of {self._name} has no memory left.") from error
        if isinstance(answer, int):
            raise StreamFull(f"{self._name} holds {answer} entries; it takes {self._most}.")
        return answer.decode() if isinstance(answer, bytes) else str(answer)


def stream_producer(environment: Mapping[str, str]) -> StreamProducer:
    """A producer for the stream in the environment: STREAM_NAME, STREAM_MAX_LENGTH, and the server in BROKER_REDIS_*.

    Args:
        environment: The variables of the process, by name; for another stream than the worker's own, with that one's
            name instead.

    Raises:
        SettingsError: A variable is missing or wrong.

    Example:
        >>> producer = stream_producer(os.environ)  # doctest: +SKIP
        >>> producer.send({"order_id": "1"})  # doctest: +SKIP
        '1780000000000-0'
    """
    return StreamProducer(
        connect_broker(environment, timeout=_TIMEOUT),
        text(environment, "STREAM_NAME"),
        max_length=number(environment, "STREAM_MAX_LENGTH", 0, 0, 10**12),
    )

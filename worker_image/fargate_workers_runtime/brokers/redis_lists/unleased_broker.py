"""A Redis list whose messages are gone when they are received."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.brokers.broker import Delivery, Failure
from fargate_workers_runtime.brokers.redis_broker import first_of
from fargate_workers_runtime.brokers.redis_lists import scripts
from fargate_workers_runtime.brokers.redis_lists.list_broker import ListBroker
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings

if TYPE_CHECKING:
    import redis


class UnleasedListBroker(ListBroker):
    """A list for messages of which each may be lost, and none may begin twice because a process died.

    Lost is what a process has received and not ended when it is killed, when its task fails, when an answer of the
    server does not reach it, and when it stands still for longer than a lease: with CONCURRENCY=10 up to some hundred
    messages at a time. Nothing shows that they were there. What a handler fails, and what a worker releases when it
    stops, goes back to the server and is delivered again.

    Args:
        polls: The client for commands that wait on the server; its timeout is longer than a second.
        prompt: The client for all other commands. Default: `polls`.
        settings: The names of the lists.
    """

    def __init__(self, polls: "redis.Redis", settings: ListSettings, *, prompt: "redis.Redis | None" = None) -> None:
        super().__init__(polls, settings, prompt=prompt)
        self._owner = "unleased"
        self._pop = self._client.register_script(scripts.POP)
        self._return = self._client.register_script(scripts.RETURN)

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:  # noqa: ARG002
        """No request: nobody else can have them."""
        return []

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:  # noqa: ARG002
        """No request: they have ended when they were received."""
        return []

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        arguments: list[Any] = []
        for each, seconds in releases:
            # What the producer wrapped keeps its id; any other id is stored with its body.
            element = f"{each.id}|{each.text}".encode(errors="surrogateescape")
            arguments += [each.id, each.receive_count, first_of(each), seconds * 1000, element]
        self._return(keys=self._keys, args=arguments)
        return []

    def _receive_now(self, limit: int, lease: int) -> tuple[list[Delivery], float | None]:  # noqa: ARG002
        due, *taken = self._pop(keys=self._keys, args=[limit])
        return self._deliveries(taken), due / 1000 if due >= 0 else None

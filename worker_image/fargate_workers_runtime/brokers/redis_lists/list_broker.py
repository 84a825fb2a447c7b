"""A Redis list whose messages are leased: none is lost when a process dies. First in, first out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.redis_broker import RedisBroker, failures, first_of
from fargate_workers_runtime.brokers.redis_lists import scripts
from fargate_workers_runtime.brokers.redis_lists.elements import delivery, sent_at
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.redis import check_server, check_type, companion

if TYPE_CHECKING:
    import redis


class ListBroker(RedisBroker):
    """A list, filled on the left and emptied on the right, and the dead-letter list.

    Args:
        polls: The client for commands that wait on the server; its timeout is longer than a second.
        prompt: The client for all other commands. Default: `polls`.
        settings: The names of the lists.
        max_receive_count: Deliveries after which a message is dead-lettered without another one. Default: 0, no limit.
    """

    def __init__(
        self,
        polls: "redis.Redis",
        settings: ListSettings,
        *,
        prompt: "redis.Redis | None" = None,
        max_receive_count: int = 0,
    ) -> None:
        super().__init__(
            polls,
            prompt=prompt,
            scripts=scripts,
            dead_letters=settings.dead_letters,
            max_receive_count=max_receive_count,
        )
        self._settings = settings
        self._keys = [settings.name, *(companion(settings.name, part) for part in ("leases", "bodies", "counts"))]
        self._letters = settings.dead_letters or settings.name

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        arguments = [part for each in deliveries for part in _names_of(each)]
        return failures(self._extend(keys=self._keys, args=[seconds * 1000, *arguments]))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        arguments = [f"{each.id} {each.token}" for each in deliveries]
        return failures(self._acknowledge(keys=self._keys, args=arguments))

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        arguments: list[Any] = []
        for each, seconds in releases:
            arguments += [*_names_of(each), first_of(each), seconds * 1000]
        return failures(self._release(keys=self._keys, args=arguments))

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Messages stored with their reasons and ended, each in one step."""
        if not self._settings.dead_letters:
            raise ValueError("There is no dead-letter list to send to; set LIST_DEAD_LETTERS.")
        arguments: list[Any] = []
        for each in letters:
            said = (each.reason, each.detail, each.delivery.text)
            arguments += [*_names_of(each.delivery), *(text.encode(errors="surrogateescape") for text in said)]
        return failures(self._dead_letter(keys=[*self._keys, self._letters], args=[self._settings.name, *arguments]))

    def lag(self) -> Lag:
        """The messages that have not ended; the age of the oldest is known if this package's producer has sent it."""
        waiting, leased, now, *ids = self._look(keys=self._keys[:2], args=[])
        sent = [at for each in ids if (at := sent_at(each.decode(errors="replace"))) is not None]
        return Lag(waiting=waiting, leased=leased, oldest_age=max(0.0, now / 1000 - min(sent)) if sent else None)

    def close(self) -> None:
        """A call without effect: there is no membership, and connections end with the process."""

    def _check(self) -> None:
        check_server(self._client, address="BROKER_REDIS_HOST")
        check_type(self._client, self._settings.name, "list", variable="LIST_NAME")
        if self._settings.dead_letters:
            check_type(self._client, self._settings.dead_letters, "list", variable="LIST_DEAD_LETTERS")

    def _receive_now(self, limit: int, lease: int) -> tuple[list[Delivery], float | None]:
        due, _, *taken = self._take(
            keys=[*self._keys, self._letters],
            args=[self._owner, lease * 1000, limit, self._most, self._settings.name],
        )
        return self._deliveries(taken), due / 1000 if due >= 0 else None

    def _wait(self, limit: int, lease: int, seconds: float) -> list[Delivery]:  # noqa: ARG002
        # What is in the list stays where it is, for the script to take.
        self._polls.execute_command(  # pyright: ignore[reportUnknownMemberType]
            "BLMOVE", self._settings.name, self._settings.name, "RIGHT", "RIGHT", seconds
        )
        return []

    def _deliveries(self, taken: Sequence[bytes]) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for about, element in zip(taken[::2], taken[1::2], strict=True):
            message_id, *numbers = about.split()
            count, first = map(int, numbers)
            deliveries.append(delivery(message_id, element, owner=self._owner, count=count, first=first / 1000))
        return deliveries


def _names_of(each: Delivery) -> tuple[str, str, str]:
    """The id, the owner and the count of a delivery."""
    owner, _, count = str(each.token).split(" ")
    return each.id, owner, count

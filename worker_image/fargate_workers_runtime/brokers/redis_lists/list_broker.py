"""A Redis list whose messages are leased: none is lost when a process dies. First in, first out."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.brokers.broker import Capabilities, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.redis_lists import scripts
from fargate_workers_runtime.brokers.redis_lists.elements import delivery, sent_at
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.redis import check_server, check_type, companion

if TYPE_CHECKING:
    import redis

#: Messages of one call: so many that the round trip hardly counts, and no more than a script does in a millisecond.
BATCH = 50

#: The longest that one command waits on the server, in seconds: between two, leases of the dead are looked for.
_LONGEST_WAIT = 1.0


class ListBroker:
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
        self._polls = polls
        self._client = client = prompt or polls
        self._settings = settings
        self._most = max_receive_count if settings.dead_letters else 0
        self._keys = [settings.name, *(companion(settings.name, part) for part in ("leases", "bodies", "counts"))]
        self._letters = settings.dead_letters or settings.name
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._ready = False
        self._waits = threading.Lock()
        # Each call sends the script's hash, and the script only to a server that has not seen it since its start.
        self._take = client.register_script(scripts.TAKE)
        self._extend = client.register_script(scripts.EXTEND)
        self._acknowledge = client.register_script(scripts.ACKNOWLEDGE)
        self._release = client.register_script(scripts.RELEASE)
        self._dead_letter = client.register_script(scripts.DEAD_LETTER)
        self._look = client.register_script(scripts.LOOK)
        self._capabilities = Capabilities(
            largest_batch=BATCH,
            longest_lease=None,
            renews_leases=True,
            # The list is in order, and given to many; what is delivered again comes after what was later.
            orders_groups=False,
            counts_deliveries=True,
            one_reader=False,
            dead_letters=bool(settings.dead_letters),
            calls_are_free=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def prepare(self) -> None:
        """Check the server and the lists.

        Raises:
            SettingsError: The server would lose messages, or a key holds something else.
        """
        check_server(self._client, address="BROKER_REDIS_HOST")
        check_type(self._client, self._settings.name, "list", variable="LIST_NAME")
        if self._settings.dead_letters:
            check_type(self._client, self._settings.dead_letters, "list", variable="LIST_DEAD_LETTERS")
        self._ready = True

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        if not self._ready:
            self.prepare()
        deadline = time.monotonic() + wait
        deliveries, due = self._receive_now(limit, lease)
        # One thread of a process waits on the server, with one connection; the others wait for it.
        while not deliveries and (left := deadline - time.monotonic()) > 0:
            pause = min(left, _LONGEST_WAIT, due if due is not None else left)
            if not self._waits.acquire(timeout=pause):
                break
            try:
                self._wait_for_one(max(0.001, pause))
            finally:
                self._waits.release()
            deliveries, due = self._receive_now(limit, lease)
        return deliveries

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        arguments = [part for each in deliveries for part in _names_of(each)]
        return _failures(self._extend(keys=self._keys, args=[seconds * 1000, *arguments]))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        arguments = [f"{each.id} {each.token}" for each in deliveries]
        return _failures(self._acknowledge(keys=self._keys, args=arguments))

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        arguments: list[Any] = []
        for each, seconds in releases:
            arguments += [*_names_of(each), first_of(each), seconds * 1000]
        return _failures(self._release(keys=self._keys, args=arguments))

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Messages stored with their reasons and ended, each in one step."""
        if not self._settings.dead_letters:
            raise ValueError("There is no dead-letter list to send to; set LIST_DEAD_LETTERS.")
        arguments: list[Any] = []
        for each in letters:
            said = (each.reason, each.detail, each.delivery.text)
            arguments += [*_names_of(each.delivery), *(text.encode(errors="surrogateescape") for text in said)]
        return _failures(self._dead_letter(keys=[*self._keys, self._letters], args=[self._settings.name, *arguments]))

    def lag(self) -> Lag:
        """The messages that have not ended; the age of the oldest is known if this package's producer has sent it."""
        waiting, leased, now, *ids = self._look(keys=self._keys[:2], args=[])
        sent = [at for each in ids if (at := sent_at(each.decode(errors="replace"))) is not None]
        return Lag(waiting=waiting, leased=leased, oldest_age=max(0.0, now / 1000 - min(sent)) if sent else None)

    def close(self) -> None:
        """A call without effect: there is no membership, and connections end with the process."""

    def _receive_now(self, limit: int, lease: int) -> tuple[list[Delivery], float | None]:
        """What can be received now, and if there is nothing, the seconds until a lease ends."""
        due, _, *taken = self._take(
            keys=[*self._keys, self._letters],
            args=[self._owner, lease * 1000, limit, self._most, self._settings.name],
        )
        return self._deliveries(taken), due / 1000 if due >= 0 else None

    def _wait_for_one(self, seconds: float) -> None:
        """Wait until something is in the list; it stays where it is, for the script to take."""
        self._polls.execute_command(  # pyright: ignore[reportUnknownMemberType]
            "BLMOVE", self._settings.name, self._settings.name, "RIGHT", "RIGHT", seconds
        )

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


def first_of(each: Delivery) -> str:
    """When the message was delivered first, in milliseconds.

    Args:
        each: A delivery of it.
    """
    return str(each.token).split(" ")[1]


def _failures(places: Sequence[int]) -> list[Failure]:
    return [Failure(index=int(place), permanent=True, code="lease lost") for place in places]

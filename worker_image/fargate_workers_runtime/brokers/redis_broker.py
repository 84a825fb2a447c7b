"""What the brokers on a Redis server have in common: scripts that lease messages, and one thread that waits."""

import logging
import os
import socket
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import LiteralString, Protocol

import redis

from fargate_workers_runtime.brokers.broker import Capabilities, Delivery, Failure
from fargate_workers_runtime.redis import connect_broker

_log = logging.getLogger(__name__)

#: Messages of one call: so many that the round trip hardly counts, and no more than a script does in a millisecond.
_BATCH = 50

#: The longest that one command waits on the server, in seconds: between two, leases of the dead are looked for.
_LONGEST_WAIT = 1.0

#: A command that waits a second is answered by then, or not at all, in seconds.
_POLL_TIMEOUT = 4.0
_TIMEOUT = 2.0


class Scripts(Protocol):
    """The scripts that every broker has."""

    TAKE: LiteralString
    EXTEND: LiteralString
    ACKNOWLEDGE: LiteralString
    RELEASE: LiteralString
    DEAD_LETTER: LiteralString
    LOOK: LiteralString


class RedisBroker(ABC):
    """A broker on a Redis server.

    Args:
        polls: The client for commands that wait on the server; its timeout is longer than a second.
        prompt: The client for all other commands. None is `polls`.
        scripts: What is done with messages, each in one step.
        dead_letters: Where dead letters are stored; empty if nowhere.
        max_receive_count: Deliveries after which a message is dead-lettered without another one; 0 is no limit.
    """

    def __init__(
        self,
        polls: redis.Redis,
        *,
        prompt: redis.Redis | None,
        scripts: Scripts,
        dead_letters: str,
        max_receive_count: int,
    ) -> None:
        self._polls = polls
        self._client = client = prompt or polls
        self._most = max_receive_count if dead_letters else 0
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
            largest_batch=_BATCH,
            longest_lease=None,
            renews_leases=True,
            # Messages are in order, and given to many; what is delivered again comes after what was later.
            orders_groups=False,
            counts_deliveries=True,
            one_reader=False,
            dead_letters=bool(dead_letters),
            calls_are_free=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def prepare(self) -> None:
        """Check the server and the keys, before anything is received.

        Raises:
            SettingsError: The server would lose messages, or a key holds something else.
        """
        self._check()
        self._ready = True

    def try_to_prepare(self) -> None:
        """As `prepare`; if the server does not answer, the first receive tries again, as in any outage."""
        try:
            self.prepare()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            _log.warning("broker_unavailable", extra={"fields": {"error": type(error).__name__}})

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
                deliveries = self._wait(limit, lease, max(0.001, pause))
            finally:
                self._waits.release()
            if not deliveries:
                deliveries, due = self._receive_now(limit, lease)
        return deliveries

    @abstractmethod
    def _check(self) -> None: ...

    @abstractmethod
    def _receive_now(self, limit: int, lease: int) -> tuple[list[Delivery], float | None]:
        """What can be received now, and if there is nothing, the seconds until something may be delivered again."""

    @abstractmethod
    def _wait(self, limit: int, lease: int, seconds: float) -> list[Delivery]:
        """Wait until there is something, and return it where the same command receives it."""


def open_clients(environment: Mapping[str, str]) -> tuple[redis.Redis, redis.Redis]:
    """The client for commands that wait on the server of BROKER_REDIS_HOST, and the one for all others."""
    return connect_broker(environment, timeout=_POLL_TIMEOUT), connect_broker(environment, timeout=_TIMEOUT)


def first_of(each: Delivery) -> str:
    """When the message was delivered first, in milliseconds."""
    return str(each.token).split(" ")[1]


def failures(places: Sequence[int], code: str = "lease lost") -> list[Failure]:
    """The failures of a call, by the places of its arguments that a script has returned."""
    return [Failure(index=int(place), permanent=True, code=code) for place in places]

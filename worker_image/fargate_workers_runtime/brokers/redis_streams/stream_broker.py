"""A Redis stream and one consumer group of it. Entries, pending entries and idle times are its own.

A lease is an entry in the group's pending entries list, for as long as it has been idle for less than the lease; a
delivery is known by its consumer and its count. Every key that a script takes has the stream's hash tag, so that they
are in one slot of a cluster.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.redis_broker import RedisBroker, failures, first_of
from fargate_workers_runtime.brokers.redis_streams import scripts
from fargate_workers_runtime.brokers.redis_streams.entries import bytes_of, delivery, text_of
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.redis import check_server, check_type, companion

if TYPE_CHECKING:
    import redis

_log = logging.getLogger(__name__)

#: Between two looks for consumers that are dead and entries that can go, in seconds.
_TIDY_SECONDS = 60.0

#: A consumer without a sign for so long is dead, in milliseconds; one that lives gives a sign each second.
_DEAD_AFTER = 10 * 60 * 1000

#: Scripts of a hundred entries each, of one round of trimming.
_TRIMS = 100


class StreamBroker(RedisBroker):
    """One consumer group of a stream, and the dead-letter stream.

    Args:
        polls: The client for commands that wait on the server; its timeout is longer than a second.
        prompt: The client for all other commands. Default: `polls`.
        settings: The names of the stream, the group and the dead-letter stream.
        max_receive_count: Deliveries after which an entry is dead-lettered without another one. Default: 0, no limit.
        trimmed: Called with the number of entries that were deleted before the group had ended them.
    """

    def __init__(
        self,
        polls: "redis.Redis",
        settings: StreamSettings,
        *,
        prompt: "redis.Redis | None" = None,
        max_receive_count: int = 0,
        trimmed: Callable[[int], None] = lambda _entries: None,
    ) -> None:
        # redis-py would make a dictionary of each entry, in which a field has its place once; entries may repeat one.
        polls.set_response_callback("XREADGROUP", _as_it_is)  # pyright: ignore[reportUnknownMemberType]
        super().__init__(
            polls,
            prompt=prompt,
            scripts=scripts,
            dead_letters=settings.dead_letters,
            max_receive_count=max_receive_count,
        )
        self._settings = settings
        self._trimmed = trimmed
        self._ending = "keep" if settings.retain else "delete"
        stream, group = settings.name, settings.group
        self._keys = [stream, self._later_of(group), companion(stream, f"seen:{group}")]
        self._letters = settings.dead_letters or stream
        self._names: set[str] = set()
        self._tidied_at = time.monotonic()
        self._tidy = self._client.register_script(scripts.TIDY)
        self._trim = self._client.register_script(scripts.TRIM)

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        arguments = [part for each in deliveries for part in _names_of(each)]
        lost, trimmed = self._extend(keys=self._keys, args=[self._settings.group, seconds * 1000, *arguments])
        self._note_trimmed(len(trimmed))
        return failures(lost) + failures(trimmed, "trimmed")

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        arguments = [f"{each.id} {each.token}" for each in deliveries]
        return failures(self._acknowledge(keys=self._keys, args=[self._settings.group, self._ending, *arguments]))

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        arguments: list[Any] = []
        for each, seconds in releases:
            arguments += [*_names_of(each), first_of(each), seconds * 1000]
        return failures(self._release(keys=self._keys, args=[self._settings.group, *arguments]))

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Entries copied with their reasons and ended, each in one step."""
        if not self._settings.dead_letters:
            raise ValueError("There is no dead-letter stream to send to; set STREAM_DEAD_LETTERS.")
        settings = self._settings
        arguments: list[Any] = []
        for each in letters:
            said = (each.reason, each.detail, each.delivery.text)
            arguments += [*_names_of(each.delivery), *(bytes_of(text) for text in said)]
        source = f"{settings.name} {settings.group}"
        return failures(
            self._dead_letter(
                keys=[*self._keys, self._letters],
                args=[settings.group, "", "", "", "", self._ending, source, *arguments],
            )
        )

    def lag(self) -> Lag:
        waiting, leased, oldest = self._with_group(
            lambda: self._look(keys=self._keys[:2], args=[self._settings.group, self._ending])
        )
        return Lag(waiting=waiting, leased=leased, oldest_age=oldest / 1000 if oldest >= 0 else None)

    def close(self) -> None:
        """Leave the group, as far as nothing is pending; the rest is left to the ends of the leases."""
        names, self._names = self._names, set()
        if names:
            try:
                self._tidy(keys=self._keys[:1], args=[self._settings.group, _DEAD_AFTER, *names])
            except Exception as error:  # the next worker tidies up
                _log.warning("consumer_left_behind", extra={"fields": {"error": type(error).__name__}})

    def tidy(self) -> None:
        """Let dead consumers leave the group, and delete what every group has ended."""
        self._tidy(keys=self._keys[:1], args=[self._settings.group, _DEAD_AFTER])
        if not self._settings.retain:
            return
        mine = self._settings.group
        groups = [mine, *(each for each in self._groups() if each != mine)]
        keys = [self._settings.name, *(self._later_of(each) for each in groups)]
        for _ in range(_TRIMS):
            deleted, lost = self._trim(keys=keys, args=[self._settings.retain * 1000, *groups])
            self._note_trimmed(lost)
            if deleted < 100:
                return

    def _check(self) -> None:
        """Make the group, too, which begins with everything that is in the stream."""
        settings = self._settings
        check_server(self._client, address="BROKER_REDIS_HOST")
        check_type(self._client, settings.name, "stream", variable="STREAM_NAME")
        if settings.dead_letters:
            check_type(self._client, settings.dead_letters, "stream", variable="STREAM_DEAD_LETTERS")
        self._make_group()
        others = sorted(set(self._groups()) - {settings.group})
        if others and not settings.retain:
            raise SettingsError(
                f"STREAM_NAME is {settings.name!r}, which has the groups {', '.join([settings.group, *others])}; set "
                "STREAM_RETAIN_SECONDS for each, so that none deletes what another has not read."
            )

    def _consumer(self, lease: int) -> str:
        """The consumer's name has the lease in it: what looks for leases that have ended compares each with its own."""
        consumer = f"{self._owner}:{lease * 1000}"
        self._names.add(consumer)
        return consumer

    def _receive_now(self, limit: int, lease: int) -> tuple[list[Delivery], float | None]:
        self._tidy_now_and_then()
        consumer = self._consumer(lease)
        settings = self._settings
        arguments = [
            settings.group,
            consumer,
            lease * 1000,
            limit,
            self._most,
            self._ending,
            f"{settings.name} {settings.group}",
        ]
        due, trimmed, given_up, *taken = self._with_group(
            lambda: self._take(keys=[*self._keys, self._letters], args=arguments)
        )
        self._note_trimmed(trimmed)
        if given_up:
            _log.warning("received_too_often", extra={"fields": {"entries": given_up}})
        deliveries: list[Delivery] = []
        place = 0
        while place < len(taken):
            name, *numbers = taken[place].split()
            count, first, length = map(int, numbers)
            pairs = taken[place + 1 : place + 1 + length]
            deliveries.append(delivery(name, pairs, consumer=consumer, count=count, first=first / 1000))
            place += 1 + length
        return deliveries, due / 1000 if due >= 0 else None

    def _wait(self, limit: int, lease: int, seconds: float) -> list[Delivery]:
        # A script cannot wait, so that this is a command of its own.
        consumer = self._consumer(lease)
        milliseconds = max(1, int(seconds * 1000))  # 0 is without end
        command = ["XREADGROUP", "GROUP", self._settings.group, consumer, "COUNT", limit, "BLOCK", milliseconds]
        answer: Any = self._with_group(lambda: self._raw(*command, "STREAMS", self._settings.name, ">"))
        if not answer:
            return []
        # One pair of a stream and its entries, in a map or in an array, by the version of the protocol.
        ((_, entries),) = answer.items() if hasattr(answer, "items") else answer
        return [delivery(name, pairs, consumer=consumer, count=1, first=None) for name, pairs in entries]

    def _raw(self, *command: Any) -> Any:
        untyped: Any = self._polls
        return untyped.execute_command(*command)

    def _with_group(self, command: Callable[[], Any]) -> Any:
        """What a command answers; a server that has lost its memory gets the group anew."""
        try:
            return command()
        except Exception as error:
            if "NOGROUP" not in str(error):
                raise
        _log.warning("group_made_anew", extra={"fields": {"group": self._settings.group}})
        self._make_group()
        return command()

    def _make_group(self) -> None:
        settings = self._settings
        if settings.group in self._groups():  # a server whose memory is full does not even look whether there is one
            return
        try:
            self._client.xgroup_create(settings.name, settings.group, id="0", mkstream=True)
        except Exception as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _groups(self) -> list[str]:
        try:
            found: Any = self._client.xinfo_groups(self._settings.name)
        except Exception as error:
            if "no such key" not in str(error):
                raise
            return []
        return [text_of(each["name"]) for each in found]

    def _later_of(self, group: str) -> str:
        return companion(self._settings.name, f"later:{group}")

    def _note_trimmed(self, entries: int) -> None:
        if entries:
            _log.error("entries_trimmed", extra={"fields": {"entries": entries}})
            self._trimmed(entries)

    def _tidy_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._tidied_at < _TIDY_SECONDS:
            return
        self._tidied_at = now
        try:
            self.tidy()
        except Exception as error:  # nothing that is received depends on it
            _log.warning("tidying_failed", extra={"fields": {"error": type(error).__name__}})


def _as_it_is(answer: Any, **_options: Any) -> Any:
    return answer


def _names_of(each: Delivery) -> tuple[str, str, str]:
    """The consumer, the entry's id and the count of a delivery."""
    consumer, _, count = str(each.token).split(" ")
    return consumer, each.id, count

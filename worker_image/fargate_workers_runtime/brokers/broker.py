"""Broker: the service that holds messages, as the pipeline sees it. docs/adding.md describes how to add one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The capabilities of a broker, which the pipeline reads instead of knowing the broker.

    Attributes:
        largest_batch: The most entries of one call, at least 1. Quick handlers receive full batches, so that a
            number larger than is worth fetching ahead does not belong here.
        longest_lease: Seconds from its delivery for which a message can be hidden from other workers, extensions and
            the delay of a release included. None: no limit.
        renews_leases: `extend` works. Otherwise the lease that a message was received with is its only one.
        orders_groups: Messages of one group are delivered in order, and none while an earlier one is leased.
        counts_deliveries: `Delivery.receive_count` counts the deliveries of a message, wherever they were. Otherwise it
            is 1, and nothing but failures ends a message.
        one_reader: One open `receive` is enough: a second at the same time brings nothing sooner.
        dead_letters: `dead_letter` works. Otherwise a message that is given up is released.
        waits_in_hand: What has to wait may wait in this process, which costs no delivery. Otherwise it is released,
            because the process is there for one batch. Default: True.
        calls_are_free: Nothing is billed, so that a call for a few messages is as good as one for a full batch, and no
            more is fetched ahead than is soon begun. Default: False.
        settles_locally: `acknowledge` and `release` make no request, so that nothing is gained by waiting for others of
            a batch. Default: False.
    """

    largest_batch: int
    longest_lease: int | None
    renews_leases: bool
    orders_groups: bool
    counts_deliveries: bool
    one_reader: bool
    dead_letters: bool
    waits_in_hand: bool = True
    calls_are_free: bool = False
    settles_locally: bool = False


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One delivery of one message.

    Attributes:
        id: The broker's name of the message, the same in each of its deliveries.
        text: The payload.
        token: The broker's own name of this delivery; only the broker reads it.
        receive_count: Deliveries of the message so far, this one included. Default: 1.
        group_id: The group whose order the message keeps. Default: none.
        tenant: Whose message it is, where the broker keeps no order but shares its readers fairly. Default: none.
        sent_at: When it was sent, in seconds since the epoch. None: the broker does not know.
        since_first: Seconds since its first delivery. None: the broker does not know.
        stood_still: Seconds that this process may have slept since this delivery. Default: 0.
        leased_until: When its lease ends, by the monotonic clock. Default: after the seconds that were asked for.
        attributes: The attributes that the sender attached, as far as they are text. Default: none.
        native_attributes: All attributes that the sender attached, in the broker's own form, for its dead letters.
            Default: none.
        begun: Attempts at the message that began before this delivery, in whichever process, as far as the broker
            counts them (`AttemptCounter`). Default: 0.
        failed: Those of them that ended by a failure. Default: 0.
    """

    id: str
    text: str = field(repr=False)
    token: object = field(repr=False)
    receive_count: int = 1
    group_id: str | None = None
    tenant: str | None = None
    sent_at: float | None = None
    since_first: float | None = None
    stood_still: float = 0.0
    leased_until: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    native_attributes: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    begun: int = 0
    failed: int = 0

    @classmethod
    def of(cls, **fields: Any) -> "Delivery":
        """A delivery, made without `__init__`, which for a frozen class takes three times as long.

        Args:
            fields: All attributes without a default value, and the two mappings.
        """
        made = object.__new__(cls)
        made.__dict__.update(fields)
        return made


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message on its way to the dead-letter queue, and the reason.

    Attributes:
        delivery: The delivery of the message.
        reason: One short phrase, which is also logged.
        detail: More for a person who reads the dead letter; it is not logged. Default: none.
    """

    delivery: Delivery
    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An entry of a batch that failed.

    Attributes:
        index: Its place in the batch.
        permanent: Another try cannot help, because the lease has another owner by now, or the entry itself is refused.
        code: The broker's word for the reason. Default: none.
    """

    index: int
    permanent: bool
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """The messages that are not acknowledged yet, as the broker counts them.

    Attributes:
        waiting: Those that no worker has, delayed ones included.
        leased: Those that a worker has, or has released with a delay that lasts.
        oldest_age: Seconds since the oldest of them was sent. Default: None, there is none, or it is not known.
    """

    waiting: int
    leased: int
    oldest_age: float | None = field(default=None, compare=False)


class Broker(Protocol):
    """A source of leased messages. Each call carries at most `capabilities.largest_batch` entries.

    A call that returns failures has carried out all other entries. A call that raises may have carried out any: it is
    made again with the same entries. A message that is neither acknowledged nor released is delivered again when its
    lease ends. Calls come
    from several threads at once.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this broker; they do not change."""
        ...

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        """Messages that are leased to the caller from now on; none, if none came in time.

        Args:
            limit: The most messages, at least 1.
            wait: Seconds to wait for the first message.
            lease: Seconds for which they are leased.
        """
        ...

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        """A new end for leases; returns the entries that failed.

        Args:
            deliveries: The deliveries whose leases are extended.
            seconds: Seconds from now until each lease ends.
        """
        ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        """The end of messages for good; returns the entries that failed. To repeat an acknowledgement is harmless.

        Args:
            deliveries: The deliveries of the messages.
        """
        ...

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        """The end of leases, now; returns the entries that failed.

        Args:
            releases: The deliveries, each with the seconds until its message is delivered again, 0 for at once.
        """
        ...

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Messages stored with their reasons in the dead-letter queue; returns the entries that failed.

        Each is delivered to no one until it is acknowledged; where the broker can do both in one step, it has ended.

        Args:
            letters: The messages and their reasons.
        """
        ...

    def lag(self) -> Lag | None:
        """The messages that are not acknowledged yet. None: the broker does not know."""
        ...

    def close(self) -> None:
        """The end of connections and memberships; leases run out by themselves. To close twice is harmless."""
        ...


@runtime_checkable
class AttemptCounter(Protocol):
    """A broker that counts the attempts at its messages and keeps the counts when a process dies.

    Each delivery has what was counted before it. An attempt whose message is released before it ends is not counted.
    """

    def attempt_begins(self, delivery: Delivery) -> bool:
        """Whether the message is still leased to the caller; its next attempt is counted if it is.

        Args:
            delivery: The delivery of the message.
        """
        ...

    def attempt_failed(self, delivery: Delivery) -> None:
        """A call for each attempt that ended by a failure.

        Args:
            delivery: The delivery of the message.
        """
        ...

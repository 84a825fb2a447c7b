"""The state of a service that can be seen at the end of a minute."""

from typing import NamedTuple


class Observation(NamedTuple):
    """One minute of a service: gauges at its end, counts over it.

    Args:
        visible: Messages that wait. Defaults to 0.
        in_flight: Messages that are received and not deleted. Defaults to 0.
        oldest_age: Age of the oldest message that waits, in seconds. Defaults to 0.
        sent: Messages sent in the minute. Defaults to 0.
        received: Messages received in the minute. Defaults to 0.
        deleted: Messages deleted in the minute. Defaults to 0.
        running: Running tasks. Defaults to 0.
        pending: Tasks that start. Defaults to 0.
        desired: Desired tasks. Defaults to 0.
        cpu: Percent, the mean of the running tasks. Defaults to 0.
        work_seconds: Seconds that handlers spent on the `handled` messages. Defaults to 0.
        handled: Messages that handlers ended in the minute. Defaults to 0.
        groups: Message groups with messages in flight, where the queue has groups and they are played. Defaults to
            None.
    """

    visible: float = 0
    in_flight: float = 0
    oldest_age: float = 0
    sent: float = 0
    received: float = 0
    deleted: float = 0
    running: int = 0
    pending: int = 0
    desired: int = 0
    cpu: float = 0
    work_seconds: float = 0
    handled: float = 0
    groups: float | None = None

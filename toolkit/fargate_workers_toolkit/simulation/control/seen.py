"""What can be seen of a service at the end of a minute."""

from typing import NamedTuple


class Seen(NamedTuple):
    """Gauges at the end of the minute, counts over it. Times in seconds.

    cpu: Percent, the mean of the running tasks.
    work_seconds: What handlers spent on the `handled` messages.
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

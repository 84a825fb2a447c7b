"""What happened to the scaling, for people to read."""

from typing import Literal, NamedTuple


class Event(NamedTuple):
    """At a second of the simulation: an alarm's new state, a policy's change, or why a policy could do nothing."""

    second: int
    kind: Literal["alarm", "scaled", "blocked", "schedule"]
    name: str
    detail: str

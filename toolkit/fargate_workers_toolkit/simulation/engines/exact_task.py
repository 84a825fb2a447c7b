"""One task of the exact engine."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True, kw_only=True)
class RunningTask:
    """What a task holds.

    working: Messages in handlers, and when their work began. fetched: Those that wait for one.
    per_second: What it handled in the last minute. asking: Whether a receive of it is open.
    outdated: Whether a deployment replaces it. stopping: It receives no more. killed: Its work is lost.
    """

    started: float
    working: dict[int, float] = field(default_factory=dict[int, float])
    fetched: deque[int] = field(default_factory=deque[int])
    handled: int = 0
    per_second: float = 0.0
    asking: bool = False
    outdated: bool = False
    stopping: bool = False
    killed: bool = False

    @property
    def held(self) -> int:
        return len(self.working) + len(self.fetched)

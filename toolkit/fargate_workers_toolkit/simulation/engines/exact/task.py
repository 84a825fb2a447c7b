"""One task of the exact engine."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True, kw_only=True)
class RunningTask:
    """One task and its messages.

    Args:
        started: When it started, in seconds.
        working: Messages in handlers, and when their work began. Defaults to none.
        fetched: Messages that wait for a handler. Defaults to none.
        old: Messages whose handlers have run for longer than the drain, for which ECS protects the task. Defaults to
            none.
        protected_since: Since when it does so without a break, in seconds. Defaults to 0.
        handled: Messages handled since the last minute. Defaults to 0.
        per_second: Messages a second that it handled in the last minute. Defaults to 0.
        asking: Whether a receive of it is open. Defaults to False.
        outdated: Whether a deployment replaces it. Defaults to False.
        stopping: Whether it receives no more. Defaults to False.
        killed: Whether its work is lost. Defaults to False.
        resting: Whether it begins nothing new until it is idle, so that its protection can end. Defaults to False.
    """

    started: float
    working: dict[int, float] = field(default_factory=dict[int, float])
    fetched: deque[int] = field(default_factory=deque[int])
    old: set[int] = field(default_factory=set[int])
    protected_since: float = 0.0
    handled: int = 0
    per_second: float = 0.0
    asking: bool = False
    outdated: bool = False
    stopping: bool = False
    killed: bool = False
    resting: bool = False

    @property
    def held(self) -> int:
        return len(self.working) + len(self.fetched)

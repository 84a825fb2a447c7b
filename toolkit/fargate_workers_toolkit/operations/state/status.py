"""The state of a worker at one moment, as values."""

from collections.abc import Sequence
from dataclasses import dataclass

from fargate_workers_toolkit.operations.pauses import Pause
from fargate_workers_toolkit.operations.sources import Depth
from fargate_workers_toolkit.operations.workers import FunctionState, Scaling, ServiceState, Worker


@dataclass(frozen=True, kw_only=True)
class FiringAlarm:
    """An alarm that is raised.

    Args:
        role: The id of its definition, such as `DeadLetters`.
        name: Its name.
        since: Since when, in seconds since 1970.
        symptom: The first line of its text.
        muted: Whether its actions are muted now.
    """

    role: str
    name: str
    since: float
    symptom: str
    muted: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The last plan of the scaling planner.

    Args:
        desired_tasks: The tasks that it wants.
        backlog_seconds: The work that waits, in seconds of one task. None: unknown.
    """

    desired_tasks: int
    backlog_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class ScalingStep:
    """The last change of the number of tasks.

    Args:
        at: When, in seconds since 1970.
        tasks: The number of tasks that was set. None: unknown.
        policy: The policy that set it. Empty: none, such as a bound.
        what: What was done, in the words of AWS.
        why: Why, in the words of AWS.
    """

    at: float
    tasks: int | None
    policy: str
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of a worker.

    Args:
        worker: The worker.
        revision: Its task definition; of a function, its name.
        source: The kind and the name of its source.
        depth: What the source holds. None: it cannot be asked.
        oldest_seconds: How long the oldest message has waited. None: unknown.
        acceptable_seconds: The age that raises an alarm. None: no alarm has it.
        arriving_per_minute: Messages that came in the last whole minute. None: unknown.
        done_per_minute: Messages that were finished in it. None: unknown.
        dead_letters: Its dead letters. None: it keeps none, or they cannot be counted.
        alarms: Alarms that are raised.
        pause: Its pause. None: it is not paused.
        changes: What has changed the paused worker.
        unknown: What could not be read, and why.
    """

    worker: Worker
    revision: str
    source: str
    depth: Depth | None
    oldest_seconds: float | None
    acceptable_seconds: float | None
    arriving_per_minute: float | None
    done_per_minute: float | None
    dead_letters: int | None
    alarms: Sequence[FiringAlarm]
    pause: Pause | None
    changes: Sequence[str]
    unknown: Sequence[str]

    def is_late(self) -> bool:
        """Whether the oldest message has waited longer than is acceptable."""
        return (
            self.oldest_seconds is not None
            and self.acceptable_seconds is not None
            and self.oldest_seconds > self.acceptable_seconds
        )

    def troubles(self, *, now: float) -> list[str]:
        """What is wrong with it, worst first; empty where all is well.

        Args:
            now: Seconds since 1970.
        """
        troubles = [alarm.role for alarm in self.alarms if not alarm.muted]
        if self.is_late() and "OldestMessageTooOld" not in troubles:
            troubles.append("late")
        if self.dead_letters and "DeadLetters" not in troubles:
            troubles.append("dead letters")
        if self.pause is not None and self.pause.is_overdue(now=now) and "PausedTooLong" not in troubles:
            troubles.append("paused for too long")
        if self.pause is not None and self.changes:
            troubles.append("changed while paused")
        return troubles


@dataclass(frozen=True, kw_only=True)
class ServiceStatus(Status):
    """The state of a worker that is a service.

    Args:
        worker: The worker.
        revision: Its task definition; of a function, its name.
        source: The kind and the name of its source.
        depth: What the source holds. None: it cannot be asked.
        oldest_seconds: How long the oldest message has waited. None: unknown.
        acceptable_seconds: The age that raises an alarm. None: no alarm has it.
        arriving_per_minute: Messages that came in the last whole minute. None: unknown.
        done_per_minute: Messages that were finished in it. None: unknown.
        dead_letters: Its dead letters. None: it keeps none, or they cannot be counted.
        alarms: Alarms that are raised.
        pause: Its pause. None: it is not paused.
        changes: What has changed the paused worker.
        unknown: What could not be read, and why.
        service: Its service.
        scaling: Its scalable target.
        protected: Tasks that a message protects from scale-in. None: unknown.
        plan: The last plan. None: no planner plans for it.
        step: The last change of its tasks. None: there was none.
    """

    service: ServiceState
    scaling: Scaling
    protected: int | None
    plan: Plan | None
    step: ScalingStep | None


@dataclass(frozen=True, kw_only=True)
class FunctionStatus(Status):
    """The state of a worker that is a function.

    Args:
        worker: The worker.
        revision: Its task definition; of a function, its name.
        source: The kind and the name of its source.
        depth: What the source holds. None: it cannot be asked.
        oldest_seconds: How long the oldest message has waited. None: unknown.
        acceptable_seconds: The age that raises an alarm. None: no alarm has it.
        arriving_per_minute: Messages that came in the last whole minute. None: unknown.
        done_per_minute: Messages that were finished in it. None: unknown.
        dead_letters: Its dead letters. None: it keeps none, or they cannot be counted.
        alarms: Alarms that are raised.
        pause: Its pause. None: it is not paused.
        changes: What has changed the paused worker.
        unknown: What could not be read, and why.
        function: The function, and its event source mapping.
        concurrency: Invocations at once, as of a minute ago. None: unknown.
    """

    function: FunctionState
    concurrency: int | None

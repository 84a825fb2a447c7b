"""One question to an environment, and its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.state import Status
from fargate_workers_toolkit.operations.workers import TaskSettings

Verdict = Literal["well", "trouble", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question.

    Args:
        subject: What was looked at: an environment, a worker, an alarm.
        verdict: What came of it.
        text: A sentence.
        todo: What to type, or what to change, when it is not well. Defaults to nothing.
    """

    subject: str
    verdict: Verdict
    text: str
    todo: str = ""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is examined.

    Args:
        aws: The environment's AWS.
        states: The state of each worker.
        settings: The task definition of each worker, by its name.
        now: Seconds since 1970.
    """

    aws: Aws
    states: Sequence[Status]
    settings: dict[str, TaskSettings]
    now: float

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.aws.place.environment


#: Looks, and returns what it found; it may raise what AWS refuses.
Look = Callable[[Patient], Sequence[Finding]]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A question.

    Args:
        name: The question, in a few words.
        look: Finds the answer.
    """

    name: str
    look: Look


def well(subject: str, text: str) -> Finding:
    """A finding that is as it should be.

    Args:
        subject: What was looked at.
        text: A sentence.
    """
    return Finding(subject=subject, verdict="well", text=text)


def trouble(subject: str, text: str, todo: str) -> Finding:
    """A finding that somebody should act on.

    Args:
        subject: What was looked at.
        text: A sentence.
        todo: What to type, or what to change.
    """
    return Finding(subject=subject, verdict="trouble", text=text, todo=todo)

"""The permissions and variables by which a task uses something: best given to it when it is made, in one call."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class AccessibleTask(Protocol):
    """A task that is given access later: a QueueWorker, a WorkerTask or something like them."""

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> object: ...

    def add_environment(self, name: str, value: str) -> object: ...


class Access(NamedTuple):
    statements: Sequence[Mapping[str, Any]]
    environment: Mapping[str, str]

    def give_to(self, task: AccessibleTask) -> None:
        """Give it to a task that exists already."""
        for statement in self.statements:
            task.allow(statement["Action"], statement["Resource"])
        for name, value in self.environment.items():
            task.add_environment(name, value)


def given(**variables: str | int | None) -> dict[str, str]:
    """The variables that have a value; a feature that is off has none."""
    return {name: str(value) for name, value in variables.items() if value is not None}

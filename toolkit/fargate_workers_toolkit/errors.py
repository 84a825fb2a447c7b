"""Errors of the toolkit: one root, so that a caller can catch every mistake that a person can correct as one type.

    ToolkitError
    ├── AccountError      an AWS account cannot be asked
    ├── AssemblyError     the synthesized assembly lacks something, or is not one
    ├── ChoosingError     a workload cannot be read, or is out of range
    ├── ExportError       a worker cannot be exported to another platform
    ├── LocalError        the local environment cannot start or deploy
    ├── MissingPackageError  a package of the extra `toolkit` is missing
    └── SimulationError   a template, a load or a policy cannot be simulated

The command prints the text of any of them, without a traceback, and ends with its `exit_code`.
"""

from typing import ClassVar

#: What brings every package that the command needs.
EXTRA = "fargate-workers[toolkit]"


class ToolkitError(Exception):
    """A mistake that a person can correct; the text is one sentence: what is wrong, where, and how to correct it."""

    #: The exit code of a command that ends with this error.
    exit_code: ClassVar[int] = 2


class MissingPackageError(ToolkitError):
    """A package of the extra `toolkit` is missing, or is of a version that does not fit."""

    @classmethod
    def of(cls, error: ImportError) -> "MissingPackageError":
        """The error of a failed import; the import's own where the toolkit itself is at fault.

        Args:
            error: What the import raised.

        Raises:
            ImportError: What could not be imported is the toolkit's own.
        """
        package = (error.name or "").partition(".")[0]
        if package in ("", __package__):
            raise error
        state = "is not installed" if isinstance(error, ModuleNotFoundError) else "is of a version that does not fit"
        return cls(f'fargate-workers needs the package {package}, which {state}: run pip install "{EXTRA}".')


class LocalError(ToolkitError):
    """The local environment cannot start or deploy."""


class AssemblyError(ToolkitError):
    """The assembly lacks something, has it more than once, or is not an assembly."""


class SimulationError(ToolkitError, ValueError):
    """A template, a load or a policy that the simulator refuses."""


class ChoosingError(ToolkitError, ValueError):
    """A workload that cannot be read, or is out of range."""


class ExportError(ToolkitError):
    """A worker that cannot be exported to another platform, or values that cannot be read."""

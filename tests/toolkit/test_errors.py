"""What a person can correct is one type, which the command turns into a sentence and an exit code in one place."""

from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.account.errors import AccountError
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import AssemblyError, LocalError, SimulationError, ToolkitError
from fargate_workers_toolkit.local.deployment import DeploymentError
from fargate_workers_toolkit.local.emulator.processes.programs import UnknownImageError
from fargate_workers_toolkit.templates.assembly import Assembly

# The file: the room gives the command of the same name.
account = import_module("fargate_workers_toolkit.commands.account")


class RefusedError(ToolkitError):
    exit_code = 7


@pytest.mark.parametrize(
    "kind", [AccountError, AssemblyError, DeploymentError, LocalError, SimulationError, UnknownImageError]
)
def test_every_error_is_a_toolkit_error(kind: type[Exception]) -> None:
    assert issubclass(kind, ToolkitError)


def test_the_command_prints_the_error_and_ends_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RefusedError("This is refused.")

    monkeypatch.setattr(account, "look", refuse)
    result = CliRunner().invoke(app, ["account", "dev"])
    assert (result.exit_code, result.stdout, result.stderr) == (7, "", "This is refused.\n")


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(account, "look", fail)
    result = CliRunner().invoke(app, ["account", "dev"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_missing_assembly_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"run `cdk synth` first\.$"):
        Assembly.load(tmp_path)

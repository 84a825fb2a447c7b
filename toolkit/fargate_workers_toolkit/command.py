"""The `fargate-workers` command."""

import signal
import sys
from typing import Any, NoReturn

import typer
import typer.main
from typer.core import TyperGroup

from fargate_workers_toolkit.commands import COMMANDS, load
from fargate_workers_toolkit.errors import ToolkitError


class Commands(TyperGroup):
    """The commands; the only place where an error that a person can correct becomes a sentence and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the alphabet's order.

        Args:
            ctx: What was typed.
        """
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, imported now; None where there is no such command.

        Args:
            ctx: What was typed.
            cmd_name: The name.
        """
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command = load(cmd_name)
        if not isinstance(command, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(command)
            command = alone
        found = typer.main.get_command(command)
        found.name = cmd_name
        return found

    def invoke(self, ctx: Any) -> object:
        """Run a command.

        Args:
            ctx: What was typed.

        Returns:
            What the command returns.
        """
        try:
            return super().invoke(ctx)
        except ToolkitError as error:
            sys.stderr.write(f"{error}\n")
            ctx.exit(error.exit_code)


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def fargate_workers() -> None:
    """Choose, run locally and predict a system of queue workers, and look after it in AWS."""


def main() -> None:
    """Run the command: exits with 0, with 1 when a check failed or a limit is broken, with 2 after a `ToolkitError`."""
    # As Ctrl-C: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except ToolkitError as error:  # of a command that the help lists
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

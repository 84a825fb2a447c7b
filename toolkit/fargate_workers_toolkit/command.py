"""The `fargate-workers` command."""

import sys

import typer

from fargate_workers_toolkit.local.command import local
from fargate_workers_toolkit.local.errors import LocalError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(local, name="local")


@app.callback()
def fargate_workers() -> None:
    """Run a system of queue workers locally."""


def main() -> None:
    """Ends with 0, with 1 when a check failed, with 2 when something is wrong before anything is done."""
    try:
        app()
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()

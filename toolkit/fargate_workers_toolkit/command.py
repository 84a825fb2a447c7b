"""The `fargate-workers` command."""

import signal
import sys
from typing import NoReturn

import typer

from fargate_workers_toolkit.local.command import local
from fargate_workers_toolkit.local.errors import LocalError
from fargate_workers_toolkit.simulation.command import simulate
from fargate_workers_toolkit.simulation.recommending.command import recommend

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(local, name="local")
app.command("simulate")(simulate)
app.command("recommend")(recommend)


@app.callback()
def fargate_workers() -> None:
    """Run a system of queue workers locally, and predict how it scales."""


def main() -> None:
    """Ends with 0, with 1 when a check failed or a limit is broken, with 2 when something has to be mended first."""
    # As Ctrl-C: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

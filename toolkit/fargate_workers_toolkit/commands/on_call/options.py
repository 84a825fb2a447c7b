"""The options that the commands of someone on call share, and what they mean."""

import getpass
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.operations import OperationsError
from fargate_workers_toolkit.operations.places import Aws, find_place

Environment = Annotated[
    str, typer.Argument(help="The environment: environments/NAME.toml, a stage of cdk.out, or local.")
]
WorkerName = Annotated[
    str | None, typer.Argument(metavar="[WORKER]", help="The worker's name. Default: the only one.", show_default=False)
]
OneOrAll = Annotated[
    str | None, typer.Argument(metavar="[WORKER]", help="One worker. Default: all.", show_default=False)
]
Profile = Annotated[str | None, typer.Option(help="The profile of the AWS credentials. Default: AWS_PROFILE.")]
Local = Annotated[bool, typer.Option("--local", help="Look at the embedded AWS of `fargate-workers local up`.")]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Where the broker is reached from here, through a tunnel for example."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Change production without asking.")]


def open_aws(environment: str, *, profile: str | None, local: bool, endpoint: str | None = None) -> Aws:
    """Return the AWS of an environment.

    Args:
        environment: Its name.
        profile: The profile of the credentials. None: AWS_PROFILE, or the default one.
        local: Whether the embedded AWS runs it.
        endpoint: Host and port at which brokers are reached. Defaults to none: where the worker reaches them.

    Raises:
        OperationsError: There is no such environment.
        typer.BadParameter: The endpoint is no host and port.
    """
    place = find_place(environment, folder=Path.cwd(), profile=profile, local=local)
    return Aws(place if endpoint is None else replace(place, broker_address=_address(endpoint)))


def _address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter(f'"{endpoint}" is no host and port; write, for example, 127.0.0.1:6379.')
    return host, int(port)


def screen() -> Console:
    """The terminal; NO_COLOR is honoured, and without a terminal lines are as long as they are."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _width())


def _width() -> int | None:
    # COLUMNS is honoured by rich; a file or a pipe has no width of its own.
    return None if "COLUMNS" in os.environ else 120


def say(sentences: str) -> None:
    """Print sentences, one a line. A line without a full stop ends with a command to copy, and is not broken.

    Args:
        sentences: The sentences.
    """
    console = screen()
    for line in sentences.splitlines():
        console.print(Text(line), soft_wrap=not line.endswith("."))


def say_or_print_json(sentences: str, value: Any, *, as_json: bool) -> None:
    """Print a result for people or for programs.

    Args:
        sentences: The result for people.
        value: The result for programs.
        as_json: Whether a program reads it.
    """
    if as_json:
        print_json(value)
    else:
        say(sentences)


def print_json(value: Any) -> None:
    """Print a result for programs.

    Args:
        value: What JSON can hold.
    """
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def confirm(aws: Aws, change: str, *, yes: bool) -> None:
    """Ask before production is changed; elsewhere, print what is done.

    Args:
        aws: The environment's AWS.
        change: What will be done, to what, and to how many: a sentence.
        yes: Whether the answer was given with the command.

    Raises:
        OperationsError: Nobody can be asked.
        typer.Exit: The answer is no.
    """
    place = aws.place
    sys.stderr.write(f"{place.environment}: {change}\n")
    if not place.production or yes:
        return
    aws.check_account()
    if not sys.stdin.isatty():
        raise OperationsError(f"{place.environment} is production, and nobody can be asked here; add --yes.")
    if not typer.confirm(f"Do this in {place.environment}?", err=True):
        sys.stderr.write("Nothing was changed.\n")
        raise typer.Exit(1)


def operator() -> str:
    """The user of this machine who types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"

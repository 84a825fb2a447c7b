"""`fargate-workers account ENVIRONMENT`."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import BotoCoreError
from rich.console import Console

from fargate_workers_toolkit.account import (
    SERVICES_WITH_ROLES,
    AccountError,
    Answer,
    ask,
    in_a_sentence,
    make_service_role,
)
from fargate_workers_toolkit.account import needs as files
from fargate_workers_toolkit.local import DEFAULT_ACCOUNT

Environment = Annotated[str, typer.Argument(help="The environment's name, as in environments/NAME.toml.")]
Apply = Annotated[bool, typer.Option("--apply", help="Make the service-linked roles that are missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")]

_MARKS = {True: "ready", False: "MISSING", None: "unknown"}


def account(environment: Environment, *, apply: Apply = False, as_json: Json = False) -> None:
    """Show what the account of an environment lacks for a first deployment; change nothing without --apply.

    Exits with 0 when all is ready, with 1 when something is missing or unknown, with 2 when nothing could be asked.
    """
    answers = look(environment, apply=apply)
    if as_json:
        sys.stdout.write(
            json.dumps({"ready": _ready(answers), "answers": [asdict(each) for each in answers]}, indent=2)
        )
        sys.stdout.write("\n")
    else:
        _show(answers, Console(highlight=False, soft_wrap=True))
    if not _ready(answers):
        raise typer.Exit(1)


def look(environment: str, *, apply: bool, folder: Path = Path("environments")) -> list[Answer]:
    """Ask the account of an environment.

    Args:
        environment: The environment's name.
        apply: Whether to make what can be made first.
        folder: The folder of the environment files. Defaults to `environments`.

    Raises:
        AccountError: The file is wrong, or the account cannot be asked.
    """
    needs = files.read(folder / f"{environment}.toml")
    if needs.account == DEFAULT_ACCOUNT:
        return [Answer(name="account", ready=True, found=f"{needs.file} names the embedded AWS's, which lacks nothing")]
    try:
        session = boto3.Session(region_name=needs.region)
    except BotoCoreError as error:
        raise AccountError(in_a_sentence(error)) from error

    def client(service: str) -> Any:
        return session.client(service)  # pyright: ignore

    answers = list(ask(needs, client))
    return [_made(each, client) for each in answers] if apply else answers


def _made(answer: Answer, client: Any) -> Answer:
    service = answer.name.rpartition(" ")[2]
    if answer.ready is not False or service not in SERVICES_WITH_ROLES:
        return answer
    make_service_role(service, client)
    return replace(answer, ready=True, found="made now", todo="")


def _ready(answers: list[Answer]) -> bool:
    return all(each.ready for each in answers)


def _show(answers: list[Answer], console: Console) -> None:
    for each in answers:
        console.print(f"{_MARKS[each.ready]:8}{each.name}: {each.found}", markup=False)
        if each.todo:
            console.print(f"        {each.todo}", markup=False)

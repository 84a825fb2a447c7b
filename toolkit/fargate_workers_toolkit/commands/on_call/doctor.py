"""`fargate-workers doctor ENVIRONMENT`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.commands.on_call.options import (
    AsJson,
    Environment,
    Local,
    Profile,
    open_aws,
    print_json,
    screen,
)
from fargate_workers_toolkit.console import Hanging, counted, spinning
from fargate_workers_toolkit.operations import WallClock
from fargate_workers_toolkit.operations.doctor import Check, Finding, examine
from fargate_workers_toolkit.operations.workers import find_one_or_all

Everything = Annotated[bool, typer.Option("--all", help="Show what is well, too.")]

_MARKS = {"well": "✓", "trouble": "✗", "unknown": "?"}
_STYLES = {"well": "dim", "trouble": "red", "unknown": "yellow"}


def doctor(
    environment: Environment,
    *,
    everything: Everything = False,
    profile: Profile = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Examine an environment, and name for each trouble what to type; change nothing.

    Exits with 0 when all is well, with 1 when something is not or cannot be asked.
    """
    aws = open_aws(environment, profile=profile, local=local)
    workers = find_one_or_all(aws, None)
    with spinning(Console(stderr=True), f"Examining {environment} ..."):
        answers = list(examine(aws, workers, clock=WallClock()))
    if as_json:
        print_json([{"check": check.name, "findings": [asdict(each) for each in found]} for check, found in answers])
    else:
        _show(screen(), answers, everything=everything)
    if any(each.verdict != "well" for _, found in answers for each in found):
        raise typer.Exit(1)


def _show(console: Console, answers: Sequence[tuple[Check, Sequence[Finding]]], *, everything: bool) -> None:
    for check, found in answers:
        for each in found:
            if each.verdict == "well" and not everything:
                continue
            console.print(
                Text.assemble((f"{_MARKS[each.verdict]} ", _STYLES[each.verdict]), f"{each.subject}: {each.text}")
            )
            console.print(Hanging(Text(f"check: {check.name}", style="dim")))
            if each.todo:  # to be copied
                console.print(Text(f"  → {each.todo}"), soft_wrap=True)
    ill = [check for check, found in answers if any(each.verdict == "trouble" for each in found)]
    silent = [check for check, found in answers if any(each.verdict == "unknown" for each in found)]
    unanswered = f", {counted(len(silent), 'check')} without an answer" if silent else ""
    console.print(Text(f"{counted(len(answers), 'check')}: {len(ill)} with trouble{unanswered}.", style="bold"))

"""`fargate-workers pause | drain | resume`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.commands.on_call.options import (
    AsJson,
    Endpoint,
    Environment,
    Local,
    Profile,
    WorkerName,
    Yes,
    confirm,
    open_aws,
    operator,
    say_or_print_json,
)
from fargate_workers_toolkit.commands.on_call.spans import seconds_of
from fargate_workers_toolkit.console import counted, in_words, moment, spinning
from fargate_workers_toolkit.operations import WallClock, source_of
from fargate_workers_toolkit.operations.pauses import Pause, ServicePause, drain, pause, resume
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import FunctionWorker, Worker, find_worker

Why = Annotated[str, typer.Option(help="Why, for whoever asks. Required.", show_default=False)]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="SPAN", help="How long it is meant to last, such as 2h. It never ends by itself."),
]
Within = Annotated[str, typer.Option(metavar="SPAN", help="How long to wait for the last message.")]

_clock = WallClock()


def pause_worker(
    environment: Environment,
    worker: WorkerName = None,
    *,
    why: Why,
    lasting: For = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop a worker until `resume`: no tasks and no scaling, or no invocations of a function.

    Messages wait; a deployment does not resume it.
    """
    span = None if lasting is None else seconds_of(lasting)
    aws = open_aws(environment, profile=profile, local=local)
    found = find_worker(aws, worker)
    how = "disable its event source mapping" if isinstance(found, FunctionWorker) else "stop its tasks and its scaling"
    confirm(aws, f"pause {found.short_name}: {how}; its messages wait.", yes=yes)
    _pause(aws, found, why=why, span=span, as_json=as_json)


def drain_worker(
    environment: Environment,
    worker: WorkerName = None,
    *,
    why: Why,
    within: Within = "1h",
    lasting: For = None,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Wait until nothing is left to do, then pause.

    Nothing is changed before that; whatever sends messages must have stopped. Exits with 1 when messages are left.
    """
    most, span = seconds_of(within), None if lasting is None else seconds_of(lasting)
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    found = find_worker(aws, worker)
    source = source_of(aws, found)
    confirm(aws, f"wait at most {in_words(most)} until {source.name} is empty, then pause {found.short_name}.", yes=yes)
    with spinning(Console(stderr=True), f"Draining {source.name} ...") as spinner:
        empty = drain(
            source,
            within=most,
            clock=_clock,
            report=lambda depth: spinner.update(
                Text(f"{source.name}: {depth.waiting:,} wait, {depth.in_flight:,} in flight")
            ),
        )
    if not empty:
        depth = source.depth()
        sentence = f"{_left(source.name, depth.total)} after {in_words(most)}; not paused."
        say_or_print_json(sentence, {"paused": False, "left": depth.total}, as_json=as_json)
        raise typer.Exit(1)
    _pause(aws, found, why=why, span=span, as_json=as_json)


def _left(name: str, number: int) -> str:
    if not number:
        return f"{name} is empty, and was not for long enough"
    return f"{counted(number, 'message')} of {name} {'is' if number == 1 else 'are'} left"


def resume_worker(
    environment: Environment,
    worker: WorkerName = None,
    *,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a paused worker back the tasks and the scaling, or the messages, that it had."""
    aws = open_aws(environment, profile=profile, local=local)
    found = find_worker(aws, worker)
    with_what = "" if isinstance(found, FunctionWorker) else " with the bounds that it had"
    confirm(aws, f"resume {found.short_name}{with_what}.", yes=yes)
    ended = resume(aws, found)
    sentence = (
        f"{found.short_name} is resumed{_restored(ended)}. It was paused by {ended.by} since "
        f"{moment(ended.at, now=_clock.now())}{_because(ended)}."
    )
    say_or_print_json(sentence, {"worker": found.name, "paused": False, **vars(ended)}, as_json=as_json)


def _pause(aws: Aws, worker: Worker, *, why: str, span: float | None, as_json: bool) -> None:
    until = None if span is None else _clock.now() + span
    noted = pause(aws, worker, by=operator(), why=why, until=until, clock=_clock)
    until_then = "" if noted.until is None else f", meant to last until {moment(noted.until, now=_clock.now())}"
    had = (
        f"it had {counted(noted.desired, 'task')} (bounds {noted.min_tasks} to {noted.max_tasks})"
        if isinstance(noted, ServicePause)
        else "its event source mapping is disabled and keeps its settings"
    )
    command = aws.place.typed("resume", worker.environment, worker.short_name)
    sentence = f"{worker.short_name} is paused{until_then}; {had}.\nResume it with: {command}"
    say_or_print_json(sentence, {"worker": worker.name, "paused": True, **vars(noted)}, as_json=as_json)


def _restored(ended: Pause) -> str:
    if not isinstance(ended, ServicePause):
        return ": its event source mapping is enabled"
    return f": {ended.min_tasks} to {ended.max_tasks} tasks, {ended.desired} now"


def _because(noted: Pause) -> str:
    return f" ({noted.why})" if noted.why else ""

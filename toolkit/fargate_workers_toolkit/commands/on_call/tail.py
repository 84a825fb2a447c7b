"""`fargate-workers tail ENVIRONMENT [WORKER]`."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

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
    open_aws,
    print_json,
    screen,
)
from fargate_workers_toolkit.commands.on_call.spans import seconds_of
from fargate_workers_toolkit.console import Hanging, in_words
from fargate_workers_toolkit.operations import OperationsError, WallClock
from fargate_workers_toolkit.operations.messages import (
    LEVELS,
    LogLine,
    Story,
    Wanted,
    follow_lines,
    log_lines,
    story_of,
)
from fargate_workers_toolkit.operations.sources import open_source
from fargate_workers_toolkit.operations.workers import find_worker, settings_of

#: A log of all messages is long; of one message it is short, and it may have been sent long ago.
_LINES_SINCE, _STORY_SINCE = "15m", "1d"

Message = Annotated[str | None, typer.Option(metavar="ID", help="The story of one message, by its id.")]
Key = Annotated[str | None, typer.Option(help="The story of one message, by its idempotency key.")]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="SPAN",
        help=f"How far back, such as 15m or 3h. Default: {_LINES_SINCE}; of one message {_STORY_SINCE}.",
        show_default=False,
    ),
]
Text_ = Annotated[str, typer.Option("--text", help="Lines with this text alone.")]
Level = Annotated[str, typer.Option(help=f"The lowest level: {', '.join(LEVELS)}.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with the lines that come, until Ctrl-C.")]

_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}
_clock = WallClock()


def tail(
    environment: Environment,
    worker: WorkerName = None,
    *,
    message: Message = None,
    key: Key = None,
    since: Since = None,
    text: Text_ = "",
    level: Level = "info",
    follow: Follow = False,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show a worker's log across its tasks, or what became of one message."""
    _check(level, message=message, key=key)
    since = since or (_STORY_SINCE if message or key else _LINES_SINCE)
    begin = _clock.now() - seconds_of(since)
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    found = find_worker(aws, worker)
    settings = settings_of(aws, found)
    name = message or key
    if name is not None:
        store = open_source(aws, settings.variables, worker=found.short_name).dead_letters
        story = story_of(aws, settings, store, text=name, is_key=key is not None, since=begin)
        if as_json:
            print_json(_as_json(story))
        else:
            _show_story(screen(), name, story, since=since)
        if not story.lines and story.claim is None and story.letter is None:
            raise typer.Exit(1)
        return
    wanted = Wanted(since=begin, texts=(text,) if text else (), level=level)
    if follow:
        try:
            _print(follow_lines(aws, settings.log_group, wanted, clock=_clock), as_json=as_json)
        except KeyboardInterrupt:
            return
    _print(log_lines(aws, settings.log_group, wanted), as_json=as_json)


def _check(level: str, *, message: str | None, key: str | None) -> None:
    if level not in LEVELS:
        raise OperationsError(f'There is no level "{level}"; use one of {", ".join(LEVELS)}.')
    if message and key:
        raise OperationsError("Name a message by --message or by --key, and not by both.")


def _print(lines: Iterable[LogLine], *, as_json: bool) -> None:
    console = screen()
    for line in lines:
        if as_json:
            print_json(asdict(line))
        else:
            console.print(_shown(line), soft_wrap=True)


def _show_story(console: Console, name: str, story: Story, *, since: str) -> None:
    console.print(Text(name, style="bold"))
    if story.sent_at:
        console.print(Text(f"  {story.sent_at[11:]} sent"))
    before: float | None = None
    for line in story.lines:
        later = "" if before is None else f" (+{in_words(line.at - before)})"
        console.print(Text.assemble("  ", _shown(line), (later, "dim")), soft_wrap=True)
        before = line.at
    if story.letter is not None:
        letter = story.letter
        console.print(Hanging(Text(f"{_moment(letter.died_at)} dead letter {letter.id}: {letter.reason}")))
    if story.claim is not None:
        state = "completed" if story.claim.completed else "not completed"
        console.print(Text(f"  claim: {state} after {story.claim.attempts} attempts"))
    for unknown in story.unknown:
        console.print(Hanging(Text(f"unknown: {unknown}")))
    console.print(Text(f"{story.ending()} Searched the log of the last {since}; --since looks further back."))


def _shown(line: LogLine) -> Text:
    fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
    return Text.assemble(
        (f"{_moment(line.at)} ", "dim"),
        (f"{line.level} " if line.level != "info" else "", _STYLES.get(line.level, "")),
        (line.event, "bold" if line.fields else ""),
        f" {fields}" if fields else "",
        (f" task={line.task[:8]}", "dim"),
    )


def _moment(at: float) -> str:
    # As in the log itself, so that it can be searched for.
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


def _as_json(story: Story) -> dict[str, Any]:
    letter = story.letter
    return {
        "lines": [asdict(line) for line in story.lines],
        "claim": None if story.claim is None else asdict(story.claim),
        "dead_letter": None
        if letter is None
        else {"id": letter.id, "reason": letter.reason, "died_at": letter.died_at},
        "ending": story.ending(),
        "unknown": list(story.unknown),
    }

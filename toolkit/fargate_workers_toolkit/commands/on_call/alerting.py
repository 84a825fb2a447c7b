"""`fargate-workers alerts test` and `fargate-workers mute | unmute`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.commands.on_call.options import (
    AsJson,
    Environment,
    Local,
    OneOrAll,
    Profile,
    Yes,
    confirm,
    open_aws,
    operator,
    print_json,
    say,
    screen,
)
from fargate_workers_toolkit.commands.on_call.spans import seconds_of
from fargate_workers_toolkit.console import counted, moment, spinning
from fargate_workers_toolkit.operations import WallClock
from fargate_workers_toolkit.operations.alerting import (
    Alarm,
    Mutes,
    alarms_of,
    find_mutes,
    mute,
    send_canary,
    subscribers,
    try_alarms,
    unmute,
)
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import Worker, find_one_or_all

alerts = typer.Typer(no_args_is_help=True, help="Try whether alerts reach a person.")

Roles = Annotated[list[str] | None, typer.Option("--alarm", help="One alarm, such as DeadLetters; may be repeated.")]
Canary = Annotated[bool, typer.Option("--canary", help="Send a message through the topic instead; raise no alarm.")]
Why = Annotated[str, typer.Option(help="Why, for those who ask. Required.", show_default=False)]
Lasting = Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long, such as 2h; it ends by itself.")]

_ALL = "all workers"
_clock = WallClock()


@alerts.callback()
def group() -> None:
    """Try whether alerts reach a person."""


@alerts.command("test")
def try_alerts(
    environment: Environment,
    worker: OneOrAll = None,
    *,
    alarm: Roles = None,
    canary: Canary = False,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Raise and lower one alarm after the other, marked as a test, and list who hears it.

    With --canary, a message that is marked as a test goes through the topic, and no alarm changes. Exits with 0, with
    1 when nobody hears them or somebody did not confirm.
    """
    aws = open_aws(environment, profile=profile, local=local)
    workers = find_one_or_all(aws, worker)
    found = alarms_of(aws, workers, roles=alarm or ())
    if canary:
        topics, done = _send(aws, found, yes=yes)
    else:
        topics, done = _try(aws, found, yes=yes)
    # The library's own history is a queue, and no person.
    heard = [each for each in subscribers(aws, topics) if each[0] != "sqs"]
    if as_json:
        listeners = [{"protocol": kind, "endpoint": who, "confirmed": sure} for kind, who, sure in heard]
        print_json({**done, "heard_by": listeners})
    else:
        _show(done, found, heard)
    if not heard or not all(sure for _, _, sure in heard):
        raise typer.Exit(1)


def _try(aws: Aws, found: Sequence[Alarm], *, yes: bool) -> tuple[list[str], dict[str, Any]]:
    """Raise and lower alarms; the topics that were notified, and what was done."""
    usable = [each for each in found if not each.left_alone and each.state != "ALARM"]
    confirm(aws, f"raise and lower {counted(len(usable), 'alarm')}, two mails each, marked as a test.", yes=yes)
    with spinning(Console(stderr=True), "Trying the alarms ...") as spinner:
        tried = try_alarms(
            aws, found, by=operator(), clock=_clock, report=lambda each: spinner.update(Text(f"Tried {each.name}"))
        )
    return sorted({topic for each in tried for topic in each.topics}), {"tried": [each.name for each in tried]}


def _send(aws: Aws, found: Sequence[Alarm], *, yes: bool) -> tuple[list[str], dict[str, Any]]:
    """Send a message through the alarms' topics; the topics, and what was done."""
    topics = sorted({topic for each in found for topic in each.topics})
    confirm(aws, f"send a message through {counted(len(topics), 'topic')}, marked as a test.", yes=yes)
    return topics, {"sent": send_canary(aws, topics, by=operator())}


def _show(done: Mapping[str, Any], found: Sequence[Alarm], heard: Sequence[tuple[str, str, bool]]) -> None:
    console = screen()
    if "sent" in done:
        for topic, message in done["sent"].items():
            console.print(Text(f"Sent {message} through {topic.rpartition(':')[2]}."))
    else:
        console.print(Text(f"Tried {counted(len(done['tried']), 'alarm')}."))
        for each in found:
            if each.left_alone:
                console.print(Text(f"Left alone: {each.role}, because {each.left_alone}."))
    for kind, who, sure in heard:
        console.print(Text(f"{'✓' if sure else '✗'} {who} by {kind}{'' if sure else ': not confirmed'}"))
    if not heard:
        console.print(Text("✗ Nobody hears these alarms."))


def mute_alarms(
    environment: Environment,
    worker: OneOrAll = None,
    *,
    why: Why,
    lasting: Lasting,
    alarm: Roles = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let alarms notify nobody for a while.

    Alarms of scaling and deployments, and those that watch for silence, are never muted.
    """
    span = seconds_of(lasting)
    aws = open_aws(environment, profile=profile, local=local)
    workers = find_one_or_all(aws, worker)
    found = alarms_of(aws, workers, roles=alarm or ())
    usable = [each for each in found if not each.left_alone]
    name = _name(worker, workers)
    confirm(aws, f"mute {counted(len(usable), 'alarm')} of {name or _ALL} for {lasting}.", yes=yes)
    made = mute(aws, found, name=name, by=operator(), why=why, lasting=span, clock=_clock)
    if as_json:
        print_json(asdict(made))
        return
    now = _clock.now()
    console = screen()
    console.print(
        Text(
            f"{counted(len(made.alarms), 'alarm')} muted from {moment(made.begin, now=now)} until "
            f"{moment(made.end, now=now)}."
        )
    )
    for each in made.left_alone:
        console.print(Text(f"Not muted: {each.role}, because {each.left_alone}."))
    say(f"End it before with: {_unmute(aws, worker)}")


def unmute_alarms(
    environment: Environment,
    worker: OneOrAll = None,
    *,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End what `mute` began, before its time: of one worker, or everything in the environment.

    The windows that stacks declare stay. Exits with 0, with 1 when nothing was muted by `mute`.
    """
    aws = open_aws(environment, profile=profile, local=local)
    workers = find_one_or_all(aws, worker)
    name = _name(worker, workers)
    mutes = find_mutes(aws, workers, name=name)
    if mutes.made:
        what = f"{counted(len(mutes.made), 'mute')} of {name or _ALL}"
        confirm(aws, f"end {what}; what is raised notifies again.", yes=yes)
        unmute(aws, mutes.made)
    if as_json:
        print_json({"ended": [asdict(each) for each in mutes.made], "still_muted": sorted(mutes.others)})
    else:
        roles = {alarm: role for each in workers for role, alarm in each.alarms.items()}
        say("\n".join(_sentences(aws, mutes, name=name, roles=roles)))
    if not mutes.made:
        raise typer.Exit(1)


def _sentences(aws: Aws, mutes: Mutes, *, name: str | None, roles: Mapping[str, str]) -> Iterator[str]:
    for each in mutes.made:
        by = f" by {each.by}" if each.by else ""
        until = "" if each.end is None else f" until {moment(each.end, now=_clock.now())}"
        why = f" ({each.why})" if each.why else ""
        yield (
            f"Ended the mute of {counted(len(each.alarms), 'alarm')} of {_ALL if each.is_of_all else each.name}: "
            f"{_listed(each.alarms, roles)}. It was made{by}{until}{why}."
        )
    others = f"still muted by something else, such as a window of a stack: {_listed(mutes.others, roles)}."
    if mutes.with_all:
        alone = "" if mutes.made else ", and not alone"
        yield f"{name} is muted with all workers{alone}; end that with: {_unmute(aws, None)}"
    elif not mutes.made:
        nothing = f"No mute of {name or _ALL} was made by a command"
        yield f"{nothing}; {others}" if mutes.others else f"{nothing}."
    elif mutes.others:
        yield others[0].upper() + others[1:]


def _listed(alarms: Iterable[str], roles: Mapping[str, str]) -> str:
    return ", ".join(sorted({roles.get(each, each) for each in alarms}))


def _unmute(aws: Aws, worker: str | None) -> str:
    return aws.place.typed("unmute", aws.place.environment, *([] if worker is None else [worker]))


def _name(worker: str | None, workers: Sequence[Worker]) -> str | None:
    """The name of the one worker that is meant; None where all are."""
    return None if worker is None else workers[0].short_name

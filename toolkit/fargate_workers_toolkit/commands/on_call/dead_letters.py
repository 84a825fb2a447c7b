"""`fargate-workers dead-letters list | show | replay | purge`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
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
    Yes,
    confirm,
    open_aws,
    operator,
    print_json,
    screen,
)
from fargate_workers_toolkit.console import Hanging, counted, in_words, moment, show_columns, spinning
from fargate_workers_toolkit.operations import OperationsError, WallClock, dead_letters_of, redrive
from fargate_workers_toolkit.operations.dead_letters import (
    Choice,
    Filter,
    Groups,
    journal_folder,
    passing,
    purge,
    replay,
    seconds_for,
    shape,
)
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore, UnreachableError
from fargate_workers_toolkit.operations.workers import Worker, find_one_or_all, find_worker

dead_letters = typer.Typer(no_args_is_help=True, help="Look at what was given up, send some of it back, delete some.")

Where = Annotated[
    str | None,
    typer.Option(
        metavar="FILTER", help="""Which letters, for example: reason == "schema*" and body.amount > 0 and age < 2h."""
    ),
]
Ids = Annotated[
    list[str] | None, typer.Option("--id", help="One letter, by its id or the message's before; may be repeated.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="The most letters.")]
All = Annotated[bool, typer.Option("--all", help="Every letter that is there now.")]
BySqs = Annotated[bool, typer.Option("--by-sqs", help="Let SQS move all of it, by the redrive function.")]
Rate = Annotated[float, typer.Option(min=0.1, max=300, help="Letters a second at most; it begins with one.")]
Values = Annotated[bool, typer.Option("--values", help="Print bodies whole, and not their shape alone.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would be done; change nothing.")]
JournalFolder = Annotated[
    Path | None, typer.Option("--journal", help="The folder of journals. Default: ~/.local/state/fargate-workers.")
]

_SHOWN = 5
_RATE = 5.0
_EVERYTHING = Choice()
_clock = WallClock()


@dead_letters.command("list")
def list_letters(
    environment: Environment,
    worker: WorkerName = None,
    *,
    where: Where = None,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by their reason, with the first and the last: of one worker, or of all.

    Exits with 0 when there are none, with 1 when there are some.
    """
    choice = _choice(where, None, None)
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    found = find_one_or_all(aws, worker)
    results: list[_Counted] = []
    beyond: list[OperationsError] = []
    for each in found:
        try:
            results.append(_counted_of(each, dead_letters_of(aws, each), choice))
        except UnreachableError as error:  # the other workers' letters are shown all the same
            if worker is not None:
                raise
            beyond.append(OperationsError(f"{each.short_name}: {error}"))
    if as_json:
        print_json([_as_json(each) for each in results])
    else:
        for each in results:
            _show_groups(screen(), each, look=_look(aws, each, where), filtered=where is not None)
    if beyond:
        raise OperationsError(" ".join(map(str, beyond)))
    if any(each.groups.total for each in results):
        raise typer.Exit(1)


@dead_letters.command("show")
def show_letters(
    environment: Environment,
    worker: WorkerName = None,
    *,
    where: Where = None,
    ids: Ids = None,
    limit: Limit = _SHOWN,
    values: Values = False,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show dead letters one by one; bodies by their shape, unless --values is given.

    Exits with 0, or with 1 when no letter is meant.
    """
    choice = _choice(where, ids, limit)
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    target = find_worker(aws, worker)
    store = dead_letters_of(aws, target)
    shown: list[DeadLetter] = []
    with passing(store) as (_, letters):
        for letter in letters:
            if choice.takes(letter, now=_clock.now()):
                shown.append(letter)
                if len(shown) == choice.limit:
                    break
    if as_json:
        print_json([_letter_as_json(letter, values=values) for letter in shown])
    else:
        _show_letters(screen(), shown, values=values)
        if shown and (where or len(shown) <= _SHOWN):
            named = ("--where", where) if where else tuple(each for letter in shown for each in ("--id", letter.id))
            back = aws.place.typed("dead-letters", "replay", environment, target.short_name, *named)
            screen().print(Text(f"Once the cause is gone: {back}"), soft_wrap=True)
    if not shown:
        raise typer.Exit(1)


@dead_letters.command("replay")
def replay_letters(
    environment: Environment,
    worker: WorkerName = None,
    *,
    where: Where = None,
    ids: Ids = None,
    everything: All = False,
    limit: Limit = None,
    rate: Rate = _RATE,
    by_sqs: BySqs = False,
    dry_run: DryRun = False,
    journal: JournalFolder = None,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to where they came from; stops by itself when they come back.

    Name them with --where, --id or --all. Interrupt it whenever you like, and run it again: nothing is lost, and what
    was sent is not sent again. Exits with 0, with 1 when it stopped or could not see every letter.
    """
    choice = _choice(where, ids, limit)
    if choice.is_everything and not everything:
        raise OperationsError("Name the letters with --where or --id, or say --all.")
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    target = find_worker(aws, worker)
    if by_sqs:
        _replay_by_sqs(aws, target, choice, rate=rate, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    store = dead_letters_of(aws, target)
    if dry_run or (aws.place.production and not yes):
        count = _preview(store, choice)
        time = in_words(seconds_for(count, most=rate))
        sentence = f"{counted(count, 'letter')} of {store.name} would return to {store.origin}, in about {time}."
        if dry_run or not count:
            _say(sentence, {"would_replay": count, "seconds": seconds_for(count, most=rate)}, as_json=as_json)
            return
        sys.stderr.write(sentence + "\n")
    confirm(aws, f"replay {_meant(choice)} of {store.name} to {store.origin}, at most {rate:g} a second.", yes=yes)
    console = Console(stderr=True, highlight=False)
    with spinning(console, "Replaying ...") as spinner:
        done = replay(
            store,
            choice,
            rate=rate,
            folder=journal_folder(environment, store.name, root=journal),
            clock=_clock,
            report=lambda sent, now: spinner.update(Text(f"Replayed {sent:,}, {now:g} a second")),
            header={"environment": environment, "worker": target.name, "origin": store.origin, "by": operator()},
        )
    sentences = [f"Replayed {counted(done.sent, 'letter')} of {store.name} to {store.origin}."]
    if done.finished:
        sentences.append(f"{counted(done.finished, 'letter')} of an interrupted replay had been sent; deleted now.")
    if done.left:
        sentences.append(f"{counted(done.left, 'other letter')} stayed.")
    if done.gone:
        sentences.append(f"{counted(done.gone, 'letter')} had been taken by somebody else.")
    if done.newer:
        sentences.append(f"{counted(done.newer, 'letter')} arrived meanwhile and stayed.")
    if done.stopped:
        sentences.append(f"Stopped: {done.stopped}.")
    elif not done.complete and done.sent != choice.limit:
        sentences.append(_not_all(store))
    sentences.append(f"Journal: {done.journal}")
    _say("\n".join(sentences), vars(done), as_json=as_json)
    if done.stopped or not (done.complete or done.sent == choice.limit):
        raise typer.Exit(1)


@dead_letters.command("purge")
def purge_letters(
    environment: Environment,
    worker: WorkerName = None,
    *,
    where: Where = None,
    ids: Ids = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    journal: JournalFolder = None,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters that --where or --id names, after a copy of each was written to the journal."""
    choice = _choice(where, ids, limit)
    if not choice.ids and choice.where is None:
        raise OperationsError("A purge deletes only what is named; give --where or --id.")
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    target = find_worker(aws, worker)
    store = dead_letters_of(aws, target)
    if dry_run or (aws.place.production and not yes):
        count = _preview(store, choice)
        sentence = f"{counted(count, 'letter')} of {store.name} would be deleted."
        if dry_run or not count:
            _say(sentence, {"would_delete": count}, as_json=as_json)
            return
        sys.stderr.write(sentence + "\n")
    confirm(aws, f"delete {_meant(choice)} of {store.name} for good.", yes=yes)
    done = purge(
        store,
        choice,
        folder=journal_folder(environment, store.name, root=journal),
        clock=_clock,
        header={"environment": environment, "worker": target.name, "by": operator()},
    )
    sentences = [f"Deleted {counted(done.deleted, 'letter')} of {store.name}; {done.left:,} stayed."]
    if not done.complete and done.deleted != choice.limit:
        sentences.append(_not_all(store))
    sentences.append(f"Copies: {done.journal}")
    _say("\n".join(sentences), vars(done), as_json=as_json)


def _replay_by_sqs(
    aws: Aws, worker: Worker, choice: Choice, *, rate: float, dry_run: bool, yes: bool, as_json: bool
) -> None:
    if not choice.is_everything:
        raise OperationsError(
            "SQS moves all letters or none; leave out --where, --id and --limit, or leave out --by-sqs."
        )
    if dry_run:
        answer = redrive(aws, worker, "status")
    else:
        confirm(aws, f"let SQS move every dead letter of {worker.short_name} back, {rate:g} a second.", yes=yes)
        answer = redrive(aws, worker, "start", messages_per_second=max(1, round(rate)))
    _say(
        f"The redrive of {worker.short_name} is {answer['status']}: {answer['moved']:,} moved.", answer, as_json=as_json
    )


def _choice(where: str | None, ids: Sequence[str] | None, limit: int | None) -> Choice:
    # Before AWS is asked anything: a slip in a filter is found at once.
    return Choice(ids=frozenset(ids or ()), where=None if where is None else Filter.parse(where), limit=limit)


def _meant(choice: Choice) -> str:
    named = choice.named()
    if choice.limit is None:
        return f"the letters with {named}" if named else "every letter"
    most = f"at most {counted(choice.limit, 'letter')}"
    return f"{most} with {named}" if named else most


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """The letters of one worker: their reasons, how many there should be, and how many were seen."""

    worker: Worker
    groups: Groups
    expected: int
    seen: int
    unseen: str


def _counted_of(worker: Worker, store: DeadLetterStore, choice: Choice) -> _Counted:
    groups, expected, seen = _count(store, choice)
    return _Counted(worker=worker, groups=groups, expected=expected, seen=seen, unseen=store.unseen)


def _count(store: DeadLetterStore, choice: Choice) -> tuple[Groups, int, int]:
    groups = Groups()
    with spinning(Console(stderr=True), f"Reading {store.name} ...") as spinner, passing(store) as (state, letters):
        for letter in letters:
            if choice.takes(letter, now=_clock.now()):
                groups.add(letter)
            if state.seen % 100 == 0:
                spinner.update(Text(f"Read {state.seen:,} of {state.expected:,} letters of {store.name}"))
    return groups, state.expected, state.seen


def _preview(store: DeadLetterStore, choice: Choice) -> int:
    groups, _, _ = _count(store, choice)
    return groups.total if choice.limit is None else min(groups.total, choice.limit)


def _look(aws: Aws, found: _Counted, where: str | None) -> str:
    """The command that shows some of the letters; empty, where there are none."""
    if not found.groups.total:
        return ""
    worker, filtered = found.worker, where or Filter.of_reason(found.groups.largest_first[0].reason)
    return aws.place.typed("dead-letters", "show", worker.environment, worker.short_name, "--where", filtered)


def _show_groups(console: Console, found: _Counted, *, look: str, filtered: bool) -> None:
    worker, groups, seen = found.worker, found.groups, found.seen
    now = _clock.now()
    if not groups.total:
        matching = " match" if filtered and seen else ""
        console.print(Text(f"{worker.short_name}: no dead letters{matching}."))
    else:
        of = f" of {seen:,}" if filtered else ""
        console.print(Text(f"{worker.short_name}: {counted(groups.total, 'dead letter')}{of}.", style="bold"))
        rows = [
            [f"{group.count:,}", moment(group.first, now=now), moment(group.last, now=now), group.reason]
            for group in groups.largest_first
        ]
        show_columns(console, ["letters", "first", "last", "reason"], rows)
        console.print(Text(f"Look at some: {look}"), soft_wrap=True)
    if seen < found.expected:
        console.print(Text(f"{found.expected - seen:,} more were not seen: {found.unseen}."))


def _show_letters(console: Console, letters: Sequence[DeadLetter], *, values: bool) -> None:
    now = _clock.now()
    if not letters:
        console.print("No letter is meant.")
    for letter in letters:
        console.print(Text(letter.id, style="bold"))
        facts = {
            "reason": letter.reason,
            "error": letter.error,
            "died": f"{moment(letter.died_at, now=now)}, {in_words(now - letter.died_at)} ago",
            "deliveries": str(letter.receives),
            "message": letter.original_id,
            "group": letter.group or "",
            **{f"attribute {name}": value for name, value in letter.attributes.items()},
            "body": letter.body if values else shape(letter.body),
        }
        for name, fact in facts.items():
            if fact:
                line = Text.assemble((f"{name} ", "dim"), fact)
                if name == "body" and values:  # to be copied
                    console.print(Text.assemble("  ", line), soft_wrap=True)
                else:
                    console.print(Hanging(line))


def _as_json(found: _Counted) -> dict[str, Any]:
    return {
        "worker": found.worker.name,
        "letters": found.groups.total,
        "expected": found.expected,
        "seen": found.seen,
        "groups": [vars(group) for group in found.groups.largest_first],
    }


def _letter_as_json(letter: DeadLetter, *, values: bool) -> dict[str, Any]:
    fields = ("id", "reason", "error", "group", "died_at", "receives", "original_id")
    return {
        **{name: getattr(letter, name) for name in fields},
        "attributes": dict(letter.attributes),
        "body": letter.body if values else shape(letter.body),
    }


def _not_all(store: DeadLetterStore) -> str:
    return f"Some letters were not seen: {store.unseen}. Run it again in a minute."


def _say(sentence: str, value: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        screen().print(Text(sentence), soft_wrap=True)

"""`fargate-workers run | rollback | scale`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from fargate_workers_toolkit.commands.on_call.options import (
    AsJson,
    Environment,
    Local,
    Profile,
    WorkerName,
    Yes,
    confirm,
    open_aws,
    print_json,
    say_or_print_json,
    screen,
)
from fargate_workers_toolkit.commands.on_call.spans import seconds_of
from fargate_workers_toolkit.console import counted, moment, show_columns
from fargate_workers_toolkit.operations import OperationsError, WallClock
from fargate_workers_toolkit.operations.changes import (
    Revision,
    before_current,
    find_object,
    find_object_task,
    find_scheduled,
    revisions_of,
    roll_back,
    run_for_object,
    run_now,
    scale,
)
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import ServiceWorker, a_service, find_worker

TaskName = Annotated[str, typer.Argument(help="The name of a scheduled task, or of the task of objects.")]
ForObject = Annotated[
    str | None,
    typer.Option(
        "--object", metavar="S3://BUCKET/KEY", help="The object, for a task that runs for each.", show_default=False
    ),
]
To = Annotated[int | None, typer.Option(help="The revision. Default: the one before.", show_default=False)]
ListThem = Annotated[bool, typer.Option("--list", help="List the revisions; change nothing.")]
Least = Annotated[int, typer.Option("--min", min=0, help="Tasks that run at least.")]
Lasting = Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long, such as 2h; then it goes back.")]

_clock = WallClock()


def run_task(
    environment: Environment,
    task: TaskName,
    *,
    address: ForObject = None,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run a scheduled task now, as its schedule would; or the task of an object, as the rule of its bucket would."""
    aws = open_aws(environment, profile=profile, local=local)
    if address is not None:
        _run_for_object(aws, task, address, yes=yes, as_json=as_json)
        return
    found = find_scheduled(aws, task)
    confirm(aws, f"run {found.short_name} now; its schedule, {found.expression}, goes on.", yes=yes)
    arn = run_now(aws, found, clock=_clock)
    say_or_print_json(
        f"{found.short_name} starts as the task {arn.rpartition('/')[2]}.", {"task": arn}, as_json=as_json
    )


def _run_for_object(aws: Aws, task: str, address: str, *, yes: bool, as_json: bool) -> None:
    found = find_object_task(aws, task)
    wanted = find_object(aws, address, found)
    confirm(aws, f"run {found.short_name} now for {address}, {wanted.size:,} bytes.", yes=yes)
    arn = run_for_object(aws, found, wanted)
    value: dict[str, object] = {"task": arn, "object": address, "version_id": wanted.version_id}
    say_or_print_json(
        f"{found.short_name} starts for {address} as the task {arn.rpartition('/')[2]}.", value, as_json=as_json
    )


def rollback_worker(
    environment: Environment,
    worker: WorkerName = None,
    *,
    to: To = None,
    only_list: ListThem = False,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a worker run an earlier revision of its task definition, by default the one before.

    The stack still describes the newer one: correct it, or the next deployment brings it back.
    """
    aws = open_aws(environment, profile=profile, local=local)
    found = a_service(find_worker(aws, worker), otherwise="deploy the image that it had before")
    revisions = revisions_of(aws, found)
    if only_list:
        if as_json:
            print_json([asdict(each) for each in revisions])
        else:
            now = _clock.now()
            rows = [
                [str(each.number), _state(each), moment(each.registered_at, now=now), each.image] for each in revisions
            ]
            show_columns(screen(), ["revision", "state", "registered", "image"], rows)
        return
    number = _before(found, revisions) if to is None else to
    confirm(aws, f"let {found.short_name} run revision {number} of its task definition.", yes=yes)
    target = roll_back(aws, found, number)
    watch = aws.place.typed("status", environment, found.short_name, "--watch")
    sentence = f"{found.short_name} goes back to revision {number}, as {target}.\nWatch it with: {watch}"
    say_or_print_json(sentence, {"worker": found.name, "revision": number, "task_definition": target}, as_json=as_json)


def _state(revision: Revision) -> str:
    copy = "" if revision.copy_of is None else f"as {revision.copy_of}"
    return ", ".join(filter(None, ["runs" if revision.current else "", copy]))


def _before(found: ServiceWorker, revisions: Sequence[Revision]) -> int:
    before = before_current(revisions)
    if before is None:
        raise OperationsError(
            f"{found.short_name} has no revision before the one that runs; --list shows all, and --to names one."
        )
    return before.number


def scale_worker(
    environment: Environment,
    worker: WorkerName = None,
    *,
    least: Least,
    lasting: Lasting,
    profile: Profile = None,
    local: Local = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a worker have a number of tasks at least, for a while; then its bounds go back by themselves."""
    span = seconds_of(lasting)
    aws = open_aws(environment, profile=profile, local=local)
    found = a_service(
        find_worker(aws, worker), otherwise="Lambda scales it, up to max_concurrency, which takes a deployment"
    )
    confirm(aws, f"let {found.short_name} have {counted(least, 'task')} at least, for {lasting}.", yes=yes)
    end = scale(aws, found, least=least, lasting=span, clock=_clock)
    bounds = found.scaling
    sentence = (
        f"{found.short_name} has {least} to {bounds.max_tasks} tasks until {moment(end, now=_clock.now())}, then "
        f"{bounds.min_tasks} to {bounds.max_tasks} again."
    )
    say_or_print_json(sentence, {"worker": found.name, "min_tasks": least, "until": end}, as_json=as_json)

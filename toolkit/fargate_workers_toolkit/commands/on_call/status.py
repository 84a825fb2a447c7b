"""`fargate-workers status ENVIRONMENT [WORKER]`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fargate_workers_toolkit.commands.on_call.options import (
    AsJson,
    Endpoint,
    Environment,
    Local,
    OneOrAll,
    Profile,
    open_aws,
    print_json,
    screen,
)
from fargate_workers_toolkit.console import Hanging, counted, in_words, moment
from fargate_workers_toolkit.operations import WallClock
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.state import FunctionStatus, ServiceStatus, Status, read_states
from fargate_workers_toolkit.operations.workers import find_one_or_all

Watch = Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")]
Every = Annotated[float, typer.Option(min=1, help="Seconds between two looks, with --watch.")]

_clock = WallClock()


def status(
    environment: Environment,
    worker: OneOrAll = None,
    *,
    watch: Watch = False,
    every: Every = 10,
    endpoint: Endpoint = None,
    profile: Profile = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show each worker: how much waits and since when, tasks, the last plan, dead letters, alarms, and a pause.

    Exits with 0 when all is well, with 1 when something is not.
    """
    aws = open_aws(environment, profile=profile, local=local, endpoint=endpoint)
    if watch:
        _watch(aws, worker, every=every)
        return
    states = _read(aws, worker)
    now = _clock.now()
    if as_json:
        print_json([_as_json(state, now=now) for state in states])
    else:
        console = screen()
        for line in _lines(states, now=now):
            console.print(line)
    if any(state.troubles(now=now) for state in states):
        raise typer.Exit(1)


def _read(aws: Aws, worker: str | None) -> list[Status]:
    # Found anew at every look: a deployment may have come in between.
    return read_states(aws, find_one_or_all(aws, worker), clock=_clock)


def _watch(aws: Aws, worker: str | None, *, every: float) -> None:
    console = Console(highlight=False)
    try:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                states = _read(aws, worker)
                now = _clock.now()
                stamp = Text(f"{aws.place.environment} at {moment(now, now=now)}; Ctrl-C ends it.", style="dim")
                live.update(Group(*_lines(states, now=now), stamp), refresh=True)
                _clock.sleep(every)
    except KeyboardInterrupt:
        return


def _lines(states: Sequence[Status], *, now: float) -> Iterator[Text | Hanging]:
    """A verdict first, then each worker; what is well is grey."""
    ill = {state.worker.short_name: state.troubles(now=now) for state in states}
    troubled = [f"{name}: {', '.join(troubles)}" for name, troubles in ill.items() if troubles]
    if troubled:
        yield Text(f"✗ {'; '.join(troubled)}.", style="bold red")
    else:
        yield Text(f"✓ {counted(len(states), 'worker')}, nothing wrong.", style="bold green")
    for state in states:
        yield Text(state.worker.short_name, style="bold")
        for name, fact, wrong in _facts(state, now=now):
            yield Hanging(Text.assemble((f"{name} ", "dim"), (fact, "red" if wrong else "")))


def _facts(state: Status, *, now: float) -> Iterator[tuple[str, str, bool]]:
    yield "source", state.source, False
    if state.depth is not None:
        yield "backlog", f"{state.depth.waiting:,} wait, {state.depth.in_flight:,} in flight", False
    if state.oldest_seconds is not None:
        limit = f" of {in_words(state.acceptable_seconds)}" if state.acceptable_seconds else ""
        yield "oldest", f"{in_words(state.oldest_seconds)}{limit}", state.is_late()
    if state.arriving_per_minute is not None or state.done_per_minute is not None:
        yield "a minute", f"{_number(state.arriving_per_minute)} arrive, {_number(state.done_per_minute)} done", False
    if isinstance(state, ServiceStatus):
        yield from _service_facts(state, now=now)
    if isinstance(state, FunctionStatus):
        yield from _function_facts(state, now=now)
    if state.dead_letters is not None:
        yield "dead letters", f"{state.dead_letters:,}", state.dead_letters > 0
    for alarm in state.alarms:
        mute = ", muted" if alarm.muted else ""
        yield "alarm", f"{alarm.role} since {moment(alarm.since, now=now)}{mute}", not alarm.muted
    if state.pause is not None:
        yield "paused", _paused(state, now=now), state.pause.is_overdue(now=now)
    for change in state.changes:
        yield "changed", change, True
    for unknown in state.unknown:
        yield "unknown", unknown, False


def _service_facts(state: ServiceStatus, *, now: float) -> Iterator[tuple[str, str, bool]]:
    service, scaling = state.service, state.scaling
    protected = "" if not state.protected else f", {state.protected} protected"
    bounds = f"{scaling.min_tasks} to {scaling.max_tasks}"
    yield "tasks", f"{service.running} of {service.desired} run{protected} (bounds {bounds})", False
    if state.plan is not None:
        work = "" if state.plan.backlog_seconds is None else f", {in_words(state.plan.backlog_seconds)} of work wait"
        yield "plan", f"{counted(state.plan.desired_tasks, 'task')}{work}", False
    if state.step is not None:
        tasks = state.step.what if state.step.tasks is None else f"to {counted(state.step.tasks, 'task')}"
        policy = f" by {state.step.policy}" if state.step.policy else ""
        yield "last step", f"{moment(state.step.at, now=now)} {tasks}{policy}", False
    deployed = f", since {moment(service.deployed_at, now=now)}" if service.deployed_at else ""
    going_on = "" if service.deployment in ("", "COMPLETED") else f", {service.deployment.lower().replace('_', ' ')}"
    yield "deployment", f"{state.revision}{deployed}{going_on}", service.deployment == "FAILED"


def _function_facts(state: FunctionStatus, *, now: float) -> Iterator[tuple[str, str, bool]]:
    function = state.function
    most = function.max_concurrency
    if state.concurrency is not None:
        yield "invocations", f"{state.concurrency}{'' if most is None else f' of {most}'} at once", False
    elif most is not None:
        yield "invocations", f"{most} at once at most", False
    stopped = not function.is_enabled and state.pause is None
    yield "event source mapping", function.state.lower(), stopped
    deployed = f", since {moment(function.updated_at, now=now)}" if function.updated_at else ""
    yield "deployment", f"{state.revision}{deployed}", False


def _paused(state: Status, *, now: float) -> str:
    pause = state.pause
    if pause is None:
        return ""
    until = "" if pause.until is None else f", until {moment(pause.until, now=now)}"
    why = f": {pause.why}" if pause.why else ""
    return f"by {pause.by} since {moment(pause.at, now=now)}{until}{why}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _as_json(state: Status, *, now: float) -> dict[str, Any]:
    worker = state.worker
    fields = {key: value for key, value in asdict(state).items() if key != "worker"}
    if isinstance(state, ServiceStatus):
        fields["scaling"] = {**fields["scaling"], "suspended": sorted(state.scaling.suspended)}
    return {**fields, "worker": worker.name, "environment": worker.environment, "troubles": state.troubles(now=now)}

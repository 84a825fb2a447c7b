"""`fargate-workers local ...`."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from fargate_workers_toolkit.console import Progress
from fargate_workers_toolkit.local import Selection, Workspace, exclusive_use, items_of, lifecycle, scenarios, show

local = typer.Typer(no_args_is_help=True, help="Run a CDK app on this machine, without an AWS account or Docker.")

Stacks = Annotated[
    list[str] | None,
    typer.Argument(help="The stacks that run, as `cdk deploy` takes them, e.g. 'dev/**'. Default: all of the app."),
]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", metavar="KEY=VALUE", help="A context value for the app.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="The port on loopback. Default: a free one.")]
SecondsPerMinute = Annotated[
    float, typer.Option(min=0.5, max=60, help="How long a minute of alarms, cooldowns and schedules takes.")
]
ScenarioName = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        metavar="MODULE:FUNCTION",
        help="What to feed the app and what must come of it. Default: every service has its tasks.",
    ),
]


@local.command("install")
def local_install(*, as_json: Json = False) -> None:
    """Download what the embedded AWS needs; later runs need no network."""
    workspace = Workspace.here()
    with exclusive_use(workspace):
        interpreter = lifecycle.install(workspace, progress=Progress())
    if as_json:
        _print_json({"interpreter": str(interpreter)})


@local.command("up")
def local_up(
    stacks: Stacks = None,
    *,
    context: Context = None,
    port: Port = None,
    seconds_per_minute: SecondsPerMinute = lifecycle.SECONDS_PER_MINUTE,
    as_json: Json = False,
) -> None:
    """Deploy the app of cdk.json into an embedded AWS and leave it running."""
    workspace, progress = Workspace.here(), Progress()
    with exclusive_use(workspace):
        aws = lifecycle.up(
            workspace,
            progress=progress,
            selection=_selection(stacks, context),
            port=port,
            seconds_per_minute=seconds_per_minute,
        )
    variables = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,  # what boto3 and the older CLI look for
        "AWS_ACCESS_KEY_ID": aws.account,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    system = lifecycle.system(workspace, aws, progress=progress)
    items = items_of(system.assembly, system)
    if as_json:
        resources = [asdict(item) for item in items]
        _print_json({"pid": aws.pid, "port": aws.port, "environment": variables, "resources": resources})
        return
    console = Console(highlight=False)
    show(items, console)
    console.print(
        "\nExplore it with any AWS client; older ones, the AWS CLI 1 among them, need --endpoint-url as well:"
    )
    for name, value in variables.items():
        console.print(f"  export {name}={value}")
    console.print(f"Logs, a folder for each task, named after its worker: {workspace.containers}", soft_wrap=True)
    console.print("Stop it with: fargate-workers local down")


@local.command("down")
def local_down(*, as_json: Json = False) -> None:
    """Stop and remove what `up` started."""
    workspace = Workspace.here()
    with exclusive_use(workspace):
        stopped = lifecycle.down(workspace, progress=Progress())
    if as_json:
        _print_json({"stopped": stopped})
    elif not stopped:
        Console(stderr=True).print("Nothing was running.")


@local.command("run")
def local_run(
    stacks: Stacks = None,
    *,
    context: Context = None,
    scenario: ScenarioName = None,
    port: Port = None,
    seconds_per_minute: SecondsPerMinute = lifecycle.SECONDS_PER_MINUTE,
    as_json: Json = False,
) -> None:
    """Deploy the app of cdk.json, play a scenario on it, and remove it all again."""
    workspace = Workspace.here()
    # Before anything starts: a scenario that is not there is found in a second.
    played = scenarios.load(scenario, folder=workspace.root) if scenario else scenarios.every_service_runs
    with exclusive_use(workspace):
        summary = lifecycle.run(
            workspace,
            progress=Progress(),
            selection=_selection(stacks, context),
            scenario=played,
            port=port,
            seconds_per_minute=seconds_per_minute,
        )
    if as_json:
        _print_json(summary.as_json())
    else:
        # A log has no width of its own.
        summary.show(Console(width=None if sys.stdout.isatty() else 120))
    if not summary.passed:
        Console(stderr=True).print(f"Logs: {workspace.run}")
        sys.exit(1)


def _selection(stacks: list[str] | None, context: list[str] | None) -> Selection:
    return Selection(stacks=tuple(stacks or lifecycle.ALL.stacks), context=tuple(context or ()))


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")

"""`fargate-workers local ...`."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from fargate_workers_toolkit.local import steps
from fargate_workers_toolkit.local.progress import Progress
from fargate_workers_toolkit.local.workspace import Workspace

local = typer.Typer(
    no_args_is_help=True, help="Run the whole system on this machine, without an AWS account or Docker."
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to standard error.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="The port on loopback. Default: a free one.")]
SecondsPerMinute = Annotated[
    float, typer.Option(min=0.5, max=60, help="How long a minute of alarms, cooldowns and schedules takes.")
]


@local.command("up")
def local_up(
    *, port: Port = None, seconds_per_minute: SecondsPerMinute = steps.SECONDS_PER_MINUTE, as_json: Json = False
) -> None:
    """Deploy the system into an embedded AWS and leave it running."""
    aws = steps.up(Workspace.here(), progress=Progress(), port=port, seconds_per_minute=seconds_per_minute)
    variables = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,  # what boto3 and the older CLI look for
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    if as_json:
        _print_json({"pid": aws.pid, "port": aws.port, "environment": variables})
        return
    console = Console(highlight=False)
    console.print("Explore it with any AWS client:")
    for name, value in variables.items():
        console.print(f"  export {name}={value}")
    console.print("Stop it with: make local-down")


@local.command("down")
def local_down(*, as_json: Json = False) -> None:
    """Stop and remove what `up` started."""
    stopped = steps.down(Workspace.here(), progress=Progress())
    if as_json:
        _print_json({"stopped": stopped})
    elif not stopped:
        Console(stderr=True).print("Nothing was running.")


@local.command("run")
def local_run(
    *, port: Port = None, seconds_per_minute: SecondsPerMinute = steps.SECONDS_PER_MINUTE, as_json: Json = False
) -> None:
    """Deploy the system, feed it, kill a worker, check what happened, and remove it all again."""
    workspace = Workspace.here()
    summary = steps.run(workspace, progress=Progress(), port=port, seconds_per_minute=seconds_per_minute)
    if as_json:
        _print_json(summary.as_json())
    else:
        # A log has no width of its own.
        summary.show(Console(width=None if sys.stdout.isatty() else 120))
    if not summary.passed:
        Console(stderr=True).print(f"Logs: {workspace.run}")
        sys.exit(1)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")

"""The three things the command does: bring the system up, play the scenario, take it down."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

from fargate_workers_toolkit.local import deployment, embedded_aws, tools, virtual_environment
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.errors import LocalError
from fargate_workers_toolkit.local.orders import sample_workload
from fargate_workers_toolkit.local.progress import Progress
from fargate_workers_toolkit.local.scenario import Scenario
from fargate_workers_toolkit.local.summary import Summary
from fargate_workers_toolkit.local.system import OrderPipeline
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.template import Assembly

SECONDS_PER_MINUTE = 2.0


def up(
    workspace: Workspace,
    *,
    progress: Progress,
    port: int | None = None,
    seconds_per_minute: float = SECONDS_PER_MINUTE,
    owned: bool = False,
) -> EmbeddedAws:
    """The system deployed and running. Where it runs already, deploys again, which changes only what has changed.

    Raises LocalError when something is missing; nothing keeps running then that was not running before.
    """
    tools.find_node()
    cdk = tools.find_cdk(workspace.root)
    aws = embedded_aws.running(workspace)
    if aws is None:
        embedded_aws.find_port(port)
    elif port not in (None, aws.port):
        raise LocalError(f"It runs already, on port {aws.port}; stop it with `make local-down`.")
    with progress.step("Prepare the embedded AWS's environment"):
        interpreter = virtual_environment.prepare(workspace.venv)
    with progress.step("Synthesize the local environment") as say:
        say("done" if deployment.synthesize(workspace, cdk=cdk) else "nothing changed since the last time")
    if aws is not None:
        return _deploy(workspace, aws, cdk=cdk, progress=progress)
    with progress.step("Start the embedded AWS") as say:
        aws = embedded_aws.start(
            workspace,
            interpreter=interpreter,
            region=_region(workspace),
            seconds_per_minute=seconds_per_minute,
            port=embedded_aws.find_port(port),
            owned=owned,
        )
        say(aws.endpoint)
    try:
        return _deploy(workspace, aws, cdk=cdk, progress=progress)
    except BaseException:
        embedded_aws.stop(workspace)
        raise


def play(workspace: Workspace, aws: EmbeddedAws, *, progress: Progress) -> Summary:
    """Feeds the running system, breaks it, and judges what came of it."""
    system = OrderPipeline(aws, Assembly.load(workspace.assembly))
    scenario = Scenario(workspace=workspace, aws=aws, system=system, workload=sample_workload(), progress=progress)
    checks = scenario.play()
    return Summary(checks=checks, seconds=progress.seconds)


def down(workspace: Workspace, *, progress: Progress, keep_logs: bool = False) -> bool:
    """Nothing of the run left, but its logs where they are wanted; whether there was anything to stop."""
    with progress.step("Stop everything"):
        stopped = embedded_aws.stop(workspace)
        if not keep_logs:
            shutil.rmtree(workspace.run, ignore_errors=True)
    return stopped


def run(
    workspace: Workspace, *, progress: Progress, port: int | None = None, seconds_per_minute: float = SECONDS_PER_MINUTE
) -> Summary:
    """Up, the scenario, down; the logs stay when a check failed."""
    if embedded_aws.running(workspace) is not None:
        raise LocalError("A local system is running already; stop it with `make local-down`.")
    aws = up(workspace, progress=progress, port=port, seconds_per_minute=seconds_per_minute, owned=True)
    passed = False
    try:
        summary = play(workspace, aws, progress=progress)
        passed = summary.passed
    finally:
        down(workspace, progress=progress, keep_logs=not passed)
    return summary


def _deploy(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path, progress: Progress) -> EmbeddedAws:
    if not aws.deployed:
        with progress.step("Bootstrap it (cdk bootstrap)"):
            deployment.bootstrap(workspace, aws, cdk=cdk)
    with progress.step("Deploy every stack (cdk deploy)") as say:
        deployment.deploy(workspace, aws, cdk=cdk, say=say)
        say(f"{len(Assembly.load(workspace.assembly).stacks)} stacks")
    deployed = replace(aws, deployed=True)
    deployed.save(workspace)
    return deployed


def _region(workspace: Workspace) -> str:
    """The local environment's region, which the embedded AWS takes on."""
    with (workspace.root / "environments" / f"{deployment.ENVIRONMENT}.toml").open("rb") as file:
        return tomllib.load(file)["region"]

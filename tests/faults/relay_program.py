"""The process of a relay, as it ships."""

import os
import sys

from fargate_workers_runtime import run_relay
from tests.faults.program import Plan


def relay(plan: Plan) -> None:
    """The process's life. It ends by the SystemExit of `run_relay`, or by a signal."""
    os.environ.clear()
    os.environ.update(plan.environment)
    os.dup2(os.open(plan.folder / f"{plan.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    run_relay()

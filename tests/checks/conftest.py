"""What mostly waits is begun with the folder's first test, and ready when the last ones ask for it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKS = "test_worker_counts.py"
COMMAND = [sys.executable, "-m", "benchmarks.worker", "--counts", "--json"]


@pytest.fixture(scope="session", autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What the worker's benchmark prints. It runs beside the other tests, if any that asks for it is among them."""
    if not any(item.path.name == ASKS for item in request.session.items):
        yield lambda: ""
        return
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def printed() -> str:
            output, said = process.communicate(timeout=300)
            assert output, said
            return output

        yield printed
        process.terminate()

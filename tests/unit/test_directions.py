"""The import directions of pyproject.toml's [tool.importlinter] hold."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_import_points_in_an_allowed_direction() -> None:
    # A process of its own: called as a function, it turns off the loggers that other tests read.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr

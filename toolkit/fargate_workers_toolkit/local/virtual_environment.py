"""The embedded AWS's own Python environment: MiniStack pins versions that the project must not share."""

import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

from fargate_workers_toolkit.errors import LocalError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
STAMP = "requirements.sha256"


def prepare(directory: Path) -> Path:
    """Create or complete the environment. A second call finds the stamp and does nothing.

    Args:
        directory: The environment's folder.

    Returns:
        Its interpreter.

    Raises:
        LocalError: The packages could not be installed.
    """
    interpreter = directory / "bin" / "python"
    stamp = directory / STAMP
    wanted = sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if interpreter.exists() and stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    venv.create(directory, clear=True)
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check"]
    result = subprocess.run(  # noqa: S603
        [*pip, "install", "--quiet", "--require-hashes", "--requirement", str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise LocalError(
            f"The embedded AWS could not be installed into {directory}; run `fargate-workers local install` once where "
            f"the package index can be reached ({lines[-1] if lines else 'pip gives no reason'})."
        )
    stamp.write_text(wanted)
    return interpreter

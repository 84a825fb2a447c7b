"""Both distributions as wheels, built and installed without a network."""

import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = {"fargate_workers": ROOT, "fargate_workers_runtime": ROOT / "worker_image"}


def build(folder: Path) -> dict[str, Path]:
    """The wheels by the name of their distribution."""
    for source in SOURCES.values():
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
    return {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}


def install(folder: Path, wheels: dict[str, Path], *, with_dependencies: bool) -> Path:
    """A virtual environment with the wheels.

    With dependencies, those of the tests' own environment are on its path; the editable install there is not, because
    a path in a .pth file brings no further .pth files along.
    """
    venv.create(folder)
    python = folder / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", "--quiet"]
    subprocess.run([*pip, *map(str, wheels.values())], check=True, capture_output=True)
    if with_dependencies:
        (Path(site) / "dependencies.pth").write_text(f"{distribution('pytest').locate_file('')}\n")
    return folder

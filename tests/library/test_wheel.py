"""The library's wheel, as an index would serve it: every module it ships can be imported from it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The wheel first, and of this checkout nothing: its folders come from a .pth, which -S leaves out.
IMPORT_ALL = """
import importlib, sys
wheel, *dependencies = sys.argv[1].split(":")
sys.path[:0] = [wheel, *dependencies]
for name in sys.stdin.read().split():
    print(name)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The emulator's own code runs inside MiniStack, which has an environment of its own.
        if error.name.split(".")[0] != "ministack" or not name.startswith("fargate_workers_toolkit.local.emulator."):
            raise
    else:
        assert module.__file__.startswith(wheel), f"{name} comes from {module.__file__}"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # The build backend itself, which the environment has: nothing is downloaded.
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def modules(installed: Path) -> set[str]:
    files = (path.relative_to(installed) for path in installed.rglob("*.py"))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}


def test_every_module_of_the_wheel_can_be_imported_from_it(installed: Path) -> None:
    shipped = modules(installed)
    dependencies = [path for path in sys.path if path.endswith("site-packages")]

    run = subprocess.run(
        [sys.executable, "-S", "-I", "-c", IMPORT_ALL, ":".join([str(installed), *dependencies])],
        input="\n".join(sorted(shipped)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == shipped


def test_the_wheel_brings_the_functions_as_packages_of_their_own(installed: Path) -> None:
    packages = {path.name for path in installed.iterdir() if path.is_dir() and not path.name.endswith(".dist-info")}
    assert packages == {
        "fargate_workers",
        "fargate_workers_observer",
        "fargate_workers_planner",
        "fargate_workers_redrive",
        "fargate_workers_toolkit",
    }

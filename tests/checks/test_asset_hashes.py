"""An asset's hash depends on its sources alone: not on caches, not on the folder, not on how the library is installed.

Otherwise every machine would deploy a function and an image of its own.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
from aws_cdk import App, Stack, aws_ecs as ecs
from fargate_workers import DeadLetterRedrive, QueueWorker, WorkerCluster, WorkerTask, worker_image
app = App()
for name, image in (("Functions", ecs.ContainerImage.from_registry("example")), ("Image", worker_image(sys.argv[1]))):
    stack = Stack(app, name)
    cluster = WorkerCluster(stack, "Cluster", network="nat")
    if name == "Image":
        WorkerTask(stack, "Task", cluster=cluster, image=image, name="Orders")
    else:
        worker = QueueWorker(stack, "Orders", cluster=cluster, image=image)
        DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[worker])
app.synth()
"""


def sources(folder: Path) -> Path:
    """A checkout of what git tracks, or would track, and nothing else."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "constructs", "lambda_src", "worker_image"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return folder


def make_dirty(folder: Path) -> None:
    """What running, testing and editing leave behind."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
    for package in (folder / "lambda_src" / "fargate_workers_redrive", folder / "worker_image" / "order_pipeline"):
        (package / ".DS_Store").write_text("x")
        (package / ".mypy_cache").mkdir()
        (package / ".mypy_cache" / "x.json").write_text("{}")


def wheel(folder: Path) -> Path:
    """The library as its wheel installs it, byte-compiled as pip does."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    installed = folder / "site-packages"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(installed)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(installed)], check=True)
    return installed


def hashes(library: Path, image: Path, folder: Path) -> set[str]:
    """The assets of two functions and an image."""
    environment = {**os.environ, "PYTHONPATH": str(library), "PYTHONSAFEPATH": "1", "CDK_OUTDIR": str(folder)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(image)], env=environment, cwd=folder.parent, check=True)
    return {path.name for path in folder.glob("asset.*")}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def from_clean(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return hashes(clean / "constructs", clean / "worker_image", tmp_path_factory.mktemp("clean") / "cdk.out")


def test_a_used_checkout_hashes_like_a_clean_one(from_clean: set[str], tmp_path: Path) -> None:
    used = sources(tmp_path / "used")
    make_dirty(used)
    assert len(from_clean) == 3
    assert hashes(used / "constructs", used / "worker_image", tmp_path / "cdk.out") == from_clean


def test_the_installed_library_hashes_like_a_checkout(clean: Path, from_clean: set[str], tmp_path: Path) -> None:
    assert hashes(wheel(tmp_path), clean / "worker_image", tmp_path / "cdk.out") == from_clean


def test_this_checkout_hashes_like_a_clean_one(from_clean: set[str], assembly: Path) -> None:
    assert from_clean < {path.name for path in assembly.glob("asset.*")}

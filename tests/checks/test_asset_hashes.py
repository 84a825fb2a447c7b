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

FUNCTIONS = """
import sys
from aws_cdk import App, Stack
from fargate_workers import DeadLetterRedrive, QueueWorker, WorkerCluster
from aws_cdk import aws_ecs as ecs
app = App(outdir=sys.argv[1])
stack = Stack(app, "Stack")
cluster = WorkerCluster(stack, "Cluster", network="nat")
image = ecs.ContainerImage.from_registry("example")
worker = QueueWorker(stack, "Orders", cluster=cluster, image=image)
DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[worker])
app.synth()
"""
IMAGE = """
import sys
from aws_cdk import App, Stack, aws_ecs as ecs
from fargate_workers import WorkerCluster, WorkerTask, worker_image
app = App(outdir=sys.argv[1])
stack = Stack(app, "Stack")
image = worker_image(sys.argv[2])
WorkerTask(stack, "Task", cluster=WorkerCluster(stack, "Cluster", network="nat"), image=image, name="Orders")
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


def hashes(script: str, library: Path, folder: Path, *arguments: str) -> set[str]:
    environment = {**os.environ, "PYTHONPATH": str(library), "PYTHONSAFEPATH": "1"}
    subprocess.run(
        [sys.executable, "-c", script, str(folder), *arguments], env=environment, cwd=folder.parent, check=True
    )
    return {path.name for path in folder.glob("asset.*")}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = sources(tmp_path_factory.mktemp("dirty"))
    make_dirty(folder)
    return folder


def test_functions_hash_the_same_clean_dirty_and_from_the_wheel(clean: Path, dirty: Path, tmp_path: Path) -> None:
    from_clean = hashes(FUNCTIONS, clean / "constructs", tmp_path / "clean")
    from_dirty = hashes(FUNCTIONS, dirty / "constructs", tmp_path / "dirty")
    from_wheel = hashes(FUNCTIONS, wheel(tmp_path / "wheel"), tmp_path / "installed")

    assert len(from_clean) == 2
    assert from_clean == from_dirty == from_wheel


def test_the_image_hashes_the_same_clean_and_dirty(clean: Path, dirty: Path, tmp_path: Path) -> None:
    from_clean = hashes(IMAGE, clean / "constructs", tmp_path / "clean", str(clean / "worker_image"))
    from_dirty = hashes(IMAGE, dirty / "constructs", tmp_path / "dirty", str(dirty / "worker_image"))

    assert len(from_clean) == 1
    assert from_clean == from_dirty


def test_this_checkout_hashes_like_a_clean_one(clean: Path, assembly: Path, tmp_path: Path) -> None:
    from_clean = hashes(FUNCTIONS, clean / "constructs", tmp_path / "clean")

    assert from_clean < {path.name for path in assembly.glob("asset.*")}

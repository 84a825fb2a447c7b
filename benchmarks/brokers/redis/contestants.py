"""What is measured: our worker on both brokers, loops without a worker, and four others, each as fast as it can be."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.worker.runtimes import Runtime
from benchmarks.worker.stand import ROOT

PROGRAMS = Path(__file__).parent / "programs"
#: Where the peers are installed; elsewhere by PEERS_HOME.
HOME = Path(os.environ.get("PEERS_HOME") or ROOT / ".local" / "benchmarks" / "redis-peers")
CONCURRENCY = 20

STREAM, GROUP, LIST = "orders", "ship", "jobs"


@dataclass(frozen=True, kw_only=True)
class Contestant(Runtime):
    """A program that drains Redis.

    Attributes:
        settings: More variables of its own.
        fills: What is filled for it, by this benchmark; a peer's own program fills its own.
    """

    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    fills: str = ""

    @property
    def home(self) -> Path:
        return HOME / self.name

    @property
    def interpreter(self) -> Path:
        return self.home / "bin" / "python" if self.packages else Path(sys.executable)


def _ours(name: str, broker: str, fills: str) -> Contestant:
    program = [str(PROGRAMS / "ours.py")]
    return Contestant(name=name, arguments=program, messages=20_000, fills=fills, settings={"BROKER": broker})


def _bare(name: str, acknowledge: str, fills: str = "stream") -> Contestant:
    program = [str(PROGRAMS / ("bare_loop.py" if fills == "stream" else "bare_list.py"))]
    settings = {"ACKNOWLEDGE": acknowledge}
    return Contestant(name=name, arguments=program, messages=20_000, fills=fills, settings=settings)


OURS_STREAM = _ours("ours, stream", "redis-stream", "stream")
OURS_LIST = _ours("ours, list", "redis-list", "list")
BARE = _bare("bare XREADGROUP and XACK", "each")
BARE_AT_ONCE = _bare("bare, XACK of ten at once", "at once")
BARE_LIST = _bare("bare LMOVE and LREM", "each", "list")
BARE_LIST_AT_ONCE = _bare("bare, LMOVE and LREM of ten at once", "at once", "list")


def _peer(name: str, packages: Mapping[str, str], arguments: Sequence[str], program: str, many: int) -> Contestant:
    return Contestant(name=name, packages=packages, arguments=arguments, sender=str(PROGRAMS / program), messages=many)


ARQ = _peer("arq", {"arq": "0.28.0"}, ["-m", "arq", "arq_orders.WorkerSettings"], "arq_orders.py", 2_000)
TASKIQ = _peer(
    "taskiq-redis",
    {"taskiq": "0.13.0", "taskiq-redis": "1.2.4"},
    [
        *("-m", "taskiq", "worker", "taskiq_orders:broker", "--workers", "1", "--max-async-tasks", "100"),
        *("--log-level", "WARNING"),
    ],
    "taskiq_orders.py",
    3_000,
)
RQ = _peer("RQ", {"rq": "3.0.0"}, [str(PROGRAMS / "rq_orders.py")], "rq_orders.py", 600)
CELERY = _peer(
    "Celery",
    {"celery[redis]": "5.7.0"},
    [
        *("-m", "celery", "--app", "celery_orders", "worker", "--pool", "threads", "--concurrency", str(CONCURRENCY)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
    ],
    "celery_orders.py",
    1_500,
)

PEERS = (ARQ, TASKIQ, RQ, CELERY)
ALL = (BARE, BARE_AT_ONCE, OURS_STREAM, OURS_LIST, BARE_LIST, BARE_LIST_AT_ONCE, *PEERS)

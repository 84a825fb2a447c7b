"""The engines beside queueing theory: Erlang's formula, Little's law, and that no message is lost or made."""

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.report import Check, Row
from benchmarks.scaling.services import article, fixed
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.engines.exact.ages import ExactAges
from fargate_workers_toolkit.simulation.engines.exact.run import ExactRun
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in, steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate
from fargate_workers_toolkit.simulation.track import Track

HOUR = 3600
WORK_SECONDS = 0.5

# Tasks, the share of their time that they are busy, and hours in all: the busier, the longer waits are related.
ERLANG = ((1, 0.7, 24), (4, 0.8, 6), (10, 0.9, 3), (20, 0.95, 2))
SEEDS = 4
# Of four runs the spread is only roughly known: it is never taken to be smaller than this, in seconds.
LEAST_SIGMA = 0.02


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Mean waits, in seconds: by theory and simulated, and the standard error of the latter."""

    theory: float
    simulated: float
    sigma: float

    @property
    def sigmas(self) -> float:
        """How far the two are apart."""
        return abs(self.simulated - self.theory) / self.sigma


def erlang_c_wait(servers: int, offered: float, work: float) -> float:
    """The mean wait for one of so many servers, all waits and none counted."""
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    waits = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    return waits * work / (servers - offered)


def erlang_waits(servers: int, use: float, hours: float) -> Waits:
    """Of so many tasks that are busy for that share of their time."""
    waits: list[float] = []
    for seed in range(SEEDS):
        load = steady(servers * use / WORK_SECONDS, seed=seed, seconds=int(hours * HOUR / SEEDS))
        waits.append(float(_ages(_exact(fixed(servers), load, seed=seed)).mean()) - WORK_SECONDS)
    return Waits(
        theory=erlang_c_wait(servers, servers * use, WORK_SECONDS),
        simulated=float(np.mean(waits)),
        sigma=max(float(np.std(waits, ddof=1)) / math.sqrt(SEEDS), LEAST_SIGMA),
    )


def little_deviation() -> float:
    """By how much the messages in the system differ from rate x age, as a share."""
    load = steady(0.6, seconds=48 * HOUR, work_seconds=5.0)
    track = _exact(fixed(4), load)
    in_system = float(np.mean(np.array(track.minutes.visible) + np.array(track.minutes.in_flight)))
    return abs(in_system / (load.messages / load.seconds * float(_ages(track).mean())) - 1)


def residuals() -> dict[str, float]:
    """Messages that came from nowhere or went there, by load: with retries, dead letters and expiry in a day each."""
    service = article(queue=Queue(visibility_timeout=45, max_receive_count=3, retention=7200))
    fluid = {f"{name}, fluid": simulate(service, built_in(name), slo=300).residual for name in BUILT_IN}
    return {**fluid, "poison, exact": simulate(service, built_in("poison"), slo=300, engine="exact").residual}


def check() -> Check:
    waits = {f"{servers} tasks, {use:.0%} busy": erlang_waits(servers, use, hours) for servers, use, hours in ERLANG}
    left = residuals()
    return Check(
        measures="The engines beside queueing theory",
        rows=[
            Row(
                name="mean waits beside Erlang's, exact engine, furthest, sigmas",
                value=max(wait.sigmas for wait in waits.values()),
                most=3,
                digits=2,
                beside=", ".join(
                    f"{name}: {wait.simulated:.3f} s for {wait.theory:.3f}" for name, wait in waits.items()
                ),
            ),
            Row(
                name="messages in the system beside rate x age (Little), percent",
                value=100 * little_deviation(),
                most=3,
                digits=2,
            ),
            Row(
                name="messages lost or made",
                value=max(abs(residual) for residual in left.values()),
                most=0,
                beside=f"{len(left)} days: {', '.join(left)}",
            ),
        ],
    )


def _exact(service: ScaledService, load: Load, *, seed: int = 0) -> Track:
    assumptions = Assumptions()
    return ExactRun(service, load, Control(service, assumptions=assumptions), assumptions=assumptions, seed=seed).run()


def _ages(track: Track) -> np.ndarray:
    assert isinstance(track.ages, ExactAges)
    return track.ages.ages

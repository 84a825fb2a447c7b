"""Six days that show what a policy is worth: each the same for the same seed, so that policies can be compared."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.load import Counts, Load, smallest

DAY = 86_400
WORK_SECONDS = 0.5


def burst(seed: int = 0) -> Load:
    """5 messages a second; eight times a day, 60 a second for ten minutes."""
    rate = np.full(DAY, 5.0)
    for begin in np.sort(np.random.default_rng(seed + 7).integers(3600, DAY - 3600, 8)):
        rate[begin : begin + 600] = 60.0
    return Load(name="burst", arrivals=_poisson(rate, seed), work_seconds=WORK_SECONDS)


def diurnal(seed: int = 0) -> Load:
    """Between 2 messages a second at night and 40 at noon, uneven by 15 % from five minutes to the next five."""
    rate = 21 - 19 * np.cos(2 * np.pi * np.arange(DAY) / DAY)
    noise = np.exp(0.15 * np.random.default_rng(seed + 3).standard_normal(DAY // 300))
    return Load(name="diurnal", arrivals=_poisson(rate * np.repeat(noise, 300), seed), work_seconds=WORK_SECONDS)


def outage(seed: int = 0) -> Load:
    """20 messages a second, and from ten to eleven o'clock every attempt fails."""
    failing = np.zeros(DAY, dtype=np.bool_)
    failing[36_000:39_600] = True
    return Load(name="outage", arrivals=_poisson(np.full(DAY, 20.0), seed), work_seconds=WORK_SECONDS, outage=failing)


def poison(seed: int = 0) -> Load:
    """10 messages a second, and 20,000 within ten minutes that always fail."""
    bad = np.zeros(DAY, dtype=np.int64)
    bad[36_000:36_600] = np.random.default_rng(seed + 5).poisson(20_000 / 600, 600)
    return Load(name="poison", arrivals=_poisson(np.full(DAY, 10.0), seed), work_seconds=WORK_SECONDS, poison=bad)


def heavy(seed: int = 0) -> Load:
    """15 messages a second, which take four times as long for two hours."""
    work = np.full(DAY, WORK_SECONDS)
    work[30_000:37_200] = 4 * WORK_SECONDS
    return Load(name="heavy", arrivals=_poisson(np.full(DAY, 15.0), seed), work_seconds=work)


def drip(seed: int = 0) -> Load:
    """One message in five minutes, 20 seconds of work each."""
    return Load(name="drip", arrivals=_poisson(np.full(DAY, 1 / 300), seed), work_seconds=20.0)


def steady(rate: float, *, seed: int = 0, work_seconds: float = WORK_SECONDS, seconds: int = DAY) -> Load:
    """A load of `rate` messages a second on average, at random.

    Args:
        rate: Messages a second.
        seed: Of all chance. Defaults to 0.
        work_seconds: The mean work in a message, in seconds. Defaults to 0.5.
        seconds: The length of the load, in seconds. Defaults to a day.

    Raises:
        SimulationError: The rate is not above 0.
    """
    if not rate > 0:
        raise SimulationError(f"A rate of {rate:g} messages a second is no load; make it more than 0.")
    random = np.random.default_rng(seed)
    arrivals: Counts = np.empty(seconds, dtype=smallest(2 * rate + 100))
    for begin in range(0, seconds, DAY):
        arrivals[begin : begin + DAY] = random.poisson(rate, min(DAY, seconds - begin))
    return Load(name=f"{rate:g}/s", arrivals=arrivals, work_seconds=work_seconds)


BUILT_IN: Mapping[str, Callable[[int], Load]] = {
    load.__name__: load for load in (burst, diurnal, outage, poison, heavy, drip)
}


def built_in(name: str, *, seed: int = 0) -> Load:
    """The built-in load of a name.

    Args:
        name: One of `BUILT_IN`.
        seed: Of all chance. Defaults to 0.

    Raises:
        SimulationError: There is no such load.
    """
    if name not in BUILT_IN:
        raise SimulationError(f"There is no built-in load {name}; choose one of {', '.join(BUILT_IN)}.")
    return BUILT_IN[name](seed)


def _poisson(rate: NDArray[np.float64], seed: int) -> Counts:
    return np.random.default_rng(seed).poisson(rate)

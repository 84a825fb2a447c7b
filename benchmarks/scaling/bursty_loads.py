"""Bursty days of different character, in the spirit of what traces of real services show; each the same for a seed.

Their mean is well below what their bursts ask for, and 300 seconds are enough to work a burst off a little later.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.loads.built_in import DAY, WORK_SECONDS
from fargate_workers_toolkit.simulation.loads.load import Load

Rate = NDArray[np.float64]
Random = np.random.Generator


def self_similar(random: Random) -> Rate:
    """Forty sources that speak and fall silent for times with a heavy tail: bursts at every scale.

    https://doi.org/10.1109/90.650143
    """
    sources, speaking = 40, 0.6
    changes = np.zeros(DAY + 1)
    for _ in range(sources):
        second, on = -600 * random.random(), random.random() < 0.5
        while second < DAY:
            lasts = min(20 * random.random() ** (-1 / 1.4), 7_200.0)
            if on:
                changes[int(max(second, 0))] += speaking
                changes[int(min(max(second + lasts, 0), DAY))] -= speaking
            second, on = second + lasts, not on
    return np.maximum(np.cumsum(changes)[:-1], 0)


def flash_crowds(random: Random) -> Rate:
    """Twenty-four crowds that come within seconds and lose interest within minutes."""
    rate, seconds = np.full(DAY, 4.0), np.arange(DAY)
    for begin in random.integers(600, DAY - 1200, 24):
        peak, rise, fade = random.uniform(30, 120), random.uniform(5, 40), random.uniform(20, 120)
        since = seconds - begin
        crowd = np.where(since < rise, since / rise, np.exp(-np.maximum(since - rise, 0) / fade))
        rate += peak * np.where(since < 0, 0, crowd)
    return rate


def on_and_off(random: Random) -> Rate:
    """Forty messages a second for about three quarters of a minute, four minutes of next to nothing, at random."""
    rate, second = np.full(DAY, 1.0), 0.0
    while second < DAY:
        second += random.exponential(240)
        lasts = random.exponential(45)
        rate[int(min(second, DAY)) : int(min(second + lasts, DAY))] += 40
        second += lasts
    return rate


def batches(random: Random) -> Rate:
    """Batches of a size with a heavy tail, about every three minutes, sent within five seconds."""
    rate, second = np.full(DAY, 1.0), random.exponential(180)
    while second < DAY - 10:
        size = min(80 * random.random() ** (-1 / 1.3), 4_000.0)
        rate[int(second) : int(second) + 5] += size / 5
        second += random.exponential(180)
    return rate


def cascade(random: Random) -> Rate:
    """Each half of the day gets its random share, each half of that half, and so on down to 42 seconds."""
    return 10 * _halved(random, evenness=4)


def uneven_minutes(random: Random) -> Rate:
    """A daily rhythm, and each minute by itself half or thrice as busy."""
    rhythm = 1 - 0.7 * np.cos(2 * np.pi * np.arange(1440) / 1440)
    return np.repeat(10 * rhythm * random.lognormal(-0.5, 1.0, 1440), 60)


def schedules(random: Random) -> Rate:
    """Jobs of others: a batch every five minutes, ten times as much every hour."""
    rate = np.full(DAY, 2.0)
    for begin in range(2, DAY, 300):
        rate[begin : begin + 2] += random.uniform(100, 200)
    for begin in range(5, DAY, 3600):
        rate[begin : begin + 10] += random.uniform(200, 400)
    return rate


def levels(random: Random) -> Rate:
    """Another level every quarter of an hour."""
    return np.minimum(np.repeat(random.lognormal(2.2, 0.8, DAY // 900), 900), 90)


def website(random: Random) -> Rate:
    """A daily rhythm that is uneven at every scale."""
    rhythm = 1 - 0.6 * np.cos(2 * np.pi * np.arange(DAY) / DAY)
    return 30 * rhythm * _halved(random, evenness=20)


BURSTY: Mapping[str, Callable[[Random], Rate]] = {
    made.__name__.replace("_", " "): made
    for made in (
        self_similar,
        flash_crowds,
        on_and_off,
        batches,
        cascade,
        uneven_minutes,
        schedules,
        levels,
        website,
    )
}


def bursty(name: str, *, seed: int) -> Load:
    random = np.random.default_rng([seed, list(BURSTY).index(name)])
    return Load(name=name, arrivals=random.poisson(BURSTY[name](random)), work_seconds=WORK_SECONDS)


def _halved(random: Random, *, evenness: float) -> Rate:
    """A rate with a mean of 1."""
    parts = np.ones(1)
    for _ in range(11):
        first = random.beta(evenness, evenness, len(parts))
        parts = np.column_stack((2 * parts * first, 2 * parts * (1 - first))).ravel()
    return np.interp(np.arange(DAY), np.linspace(0, DAY, len(parts)), parts)

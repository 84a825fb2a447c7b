"""The tasks of a service: launched as fast as the account may, working some time later, billed from launch on."""

from bisect import insort
from math import inf
from random import Random
from typing import NamedTuple

from fargate_workers_toolkit.aws_behaviour import LaunchBucket, launch_latency, start_pause
from fargate_workers_toolkit.simulation.assumptions import Assumptions


class Start(NamedTuple):
    """A task that starts.

    Args:
        ready: When it works, in seconds.
        launched: When it is launched, in seconds.
        replaces: Whether an old task stops when it is ready, as in a deployment.
    """

    ready: float
    launched: float
    replaces: bool


class Fleet:
    """How many tasks run and start. Moments are seconds of the simulation and never go back."""

    def __init__(self, tasks: int, *, assumptions: Assumptions, seed: int) -> None:
        self.running = tasks
        self._assumptions = assumptions
        self._random = Random(seed)  # noqa: S311 - a simulation, not a secret
        self._bucket = LaunchBucket()
        self._starting: list[Start] = []
        self._replacing = 0
        self._billed = 0.0

    @property
    def pending(self) -> int:
        return len(self._starting)

    @property
    def deploying(self) -> bool:
        return self._replacing > 0

    @property
    def next_ready(self) -> float:
        """When the next task is ready."""
        return self._starting[0].ready if self._starting else inf

    def billed_seconds(self, moment: float) -> float:
        """Task-seconds until `moment`, from each task's launch to its stop."""
        alive = self.running * moment + sum(max(moment - start.launched, 0) for start in self._starting)
        return self._billed + alive

    def want(self, tasks: int, moment: float) -> int:
        """Starts what is missing; what is too much and still starts goes first. How many running tasks are to stop."""
        starting = [start for start in self._starting if not start.replaces]
        surplus = self.running + len(starting) - tasks
        for _ in range(-surplus):
            self._launch(moment, replaces=False)
        if surplus <= 0:
            return 0
        for start in sorted(starting, key=lambda start: start.launched, reverse=True)[:surplus]:
            self._starting.remove(start)
            self._billed += max(moment - start.launched, 0)
        return max(surplus - len(starting), 0)

    def interrupted(self, *, spot_from: int) -> int:
        """How many of the tasks on Spot AWS takes back at the end of a minute."""
        chance = self._assumptions.spot_interruptions / 60
        if not chance:
            return 0
        return sum(self._random.random() < chance for _ in range(self.running - spot_from))

    def stop(self, tasks: int, moment: float) -> None:
        """Ends running tasks."""
        self.running -= tasks
        self._billed += tasks * moment

    def deploy(self, moment: float) -> None:
        """Starts a twin of every running task; each stops an old task once it is ready."""
        for _ in range(self.running):
            self._launch(moment, replaces=True)

    def next_start(self) -> Start:
        """Lets the next task run."""
        start = self._starting.pop(0)
        # As if it had run since the beginning, less the time until its launch.
        self._billed -= start.launched
        self.running += 1
        self._replacing -= start.replaces
        return start

    def _launch(self, moment: float, *, replaces: bool) -> None:
        launched = self._bucket.take(moment)
        latency = launch_latency(
            self._random, median=self._assumptions.launch_median, sigma=self._assumptions.launch_sigma
        )
        share, failures = self._assumptions.failed_starts, 0
        while share and self._random.random() < share:
            failures += 1
            launched += latency + start_pause(failures)
        insort(self._starting, Start(launched + latency, launched, replaces))
        self._replacing += replaces

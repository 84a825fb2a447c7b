"""How fast ECS launches Fargate tasks, and which it stops first."""

import math
from collections.abc import Sequence
from random import Random

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
BURST = 100
PER_SECOND = 20.0

# Fargate pulls the whole image for every task, so the size of the image decides; 2.7 GB have been seen to take 55 s.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-pull-behavior.html
# https://drorspei.com/2026/01/23/my-fargate-startup-is-slow-an-investigation-into-docker-layer-optimization
MEDIAN_SECONDS = 40.0
SIGMA = 0.35


class LaunchBucket:
    """The account's right to launch tasks in a region: a burst at once, then so many a second.

    Args:
        burst: The tasks that are launched at once. Defaults to 100.
        per_second: The tasks a second after that. Defaults to 20.
    """

    def __init__(self, *, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = float(burst)
        self._moment = 0.0

    def take(self, moment: float) -> float:
        """The moment at which a task asked for at `moment` is launched.

        Args:
            moment: When it is asked for, in seconds; no earlier than in the call before.
        """
        begin = max(moment, self._moment)
        self._tokens = min(self._burst, self._tokens + (begin - self._moment) * self._per_second)
        wait = max(0.0, (1 - self._tokens) / self._per_second)
        self._moment = begin + wait
        self._tokens += wait * self._per_second - 1
        return self._moment


def launch_latency(random: Random, *, median: float = MEDIAN_SECONDS, sigma: float = SIGMA) -> float:
    """Seconds from the launch until the task works, drawn from a lognormal distribution.

    Args:
        random: The source of chance.
        median: The median, in seconds. Defaults to 40.
        sigma: The standard deviation of the logarithm; 0 gives the median. Defaults to 0.35.
    """
    return median if sigma == 0 else median * math.exp(random.gauss(0, sigma))


def start_pause(failures: int) -> float:
    """Seconds until ECS tries again to start a task that has failed to reach RUNNING so often in a row.

    It waits ever longer, up to 27 minutes. ECS does not document the steps: here from one minute on twice as long each
    time. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html

    Args:
        failures: The failed starts in a row, at least 1.
    """
    return min(60.0 * 2 ** (failures - 1), 27 * 60.0)


def stop_order(started: Sequence[float], protected: Sequence[bool], *, count: int) -> list[int]:
    """The tasks that a scale-in stops, by index: the newest first, as tasks that still start are the cheapest.

    ECS does not document the order. It never stops a protected task, and stops fewer where too many are:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html

    Args:
        started: When each task started, in seconds.
        protected: Whether each task is protected from scale-in.
        count: How many tasks to stop at most.
    """
    free = [index for index, held in enumerate(protected) if not held]
    return sorted(free, key=lambda index: started[index], reverse=True)[:count]

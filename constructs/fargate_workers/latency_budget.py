"""What a worker asks of scaling by latency, and whether it can be had. Pure arithmetic; knows nothing of the CDK."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from fargate_workers._timing import in_words

Mode = Literal["balanced", "cost"]

ACCEPTABLE_LATENCY = 300
PROCESSING_TIME = 1.0

# The planner's own numbers, which a test holds equal: its code is packed for Lambda and not imported from here.
LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 70, 100, 150, 250, 500)
REACTION = 150

# Until a sleeping service works, without the planner: two minutes asleep, a third by which metrics are late, and the
# start of a task.
WAKE = 240


class PlannedWorker(NamedTuple):
    """A worker's name, and its policy as the planner takes it: seconds, and messages per second."""

    worker: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LatencyBudget:
    """What the user of `Scaling.for_latency` says, apart from the numbers of tasks. Raises ValueError for nonsense."""

    acceptable_latency: int = ACCEPTABLE_LATENCY
    processing_time: float = PROCESSING_TIME
    max_downstream_rate: float | None = None
    mode: Mode = "balanced"
    function: bool = True

    def __post_init__(self) -> None:
        if self.acceptable_latency < 1:
            raise ValueError(
                f"for_latency: acceptable_latency is {self.acceptable_latency} s; every message waits a little, "
                "accept 1 s or more."
            )
        if self.processing_time <= 0:
            raise ValueError(
                f"for_latency: processing_time is {self.processing_time:g} s; every message takes a little, "
                "use more than 0."
            )
        if self.max_downstream_rate is not None and self.max_downstream_rate <= 0:
            raise ValueError(
                f"for_latency: max_downstream_rate is {self.max_downstream_rate:g}; use more than 0 messages a second, "
                "or leave it out for no limit."
            )
        if self.mode not in get_args(Mode):
            raise ValueError(f"for_latency: mode is {self.mode!r}; use one of {', '.join(get_args(Mode))}.")

    def planned(
        self, worker: str, *, concurrency: int, min_tasks: int, max_tasks: int, max_downstream_rate: float | None
    ) -> PlannedWorker:
        """The policy of one worker. Raises ValueError when its tasks cannot keep the acceptable latency.

        max_downstream_rate: The worker's own, used where the scaling names none.
        """
        rate = self._rate(max_downstream_rate)
        # Whether it can be had: the planner finds the most tasks anew, by the time that it measures.
        self.most_tasks(
            worker,
            concurrency=concurrency,
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            max_downstream_rate=max_downstream_rate,
        )
        policy = {
            "acceptable_latency": self.acceptable_latency,
            "processing_time": self.processing_time,
            "concurrency": concurrency,
            "min_tasks": min_tasks,
            "max_tasks": max_tasks,
            "mode": self.mode,
        }
        return PlannedWorker(worker, policy if rate is None else {**policy, "max_downstream_rate": rate})

    def most_tasks(
        self, worker: str, *, concurrency: int, min_tasks: int, max_tasks: int, max_downstream_rate: float | None
    ) -> int:
        """As many tasks as the downstream bears, by the declared processing time. Raises ValueError as `planned`."""
        rate = self._rate(max_downstream_rate)
        most = max_tasks
        if rate is not None:
            most = min(most, max(1, math.floor(rate * self.processing_time / concurrency)))
        warm = warm_tasks(most, acceptable_latency=self.acceptable_latency)
        if min_tasks < warm:
            raise ValueError(
                f"{worker}: acceptable_latency is {in_words(self.acceptable_latency)}, but a task more takes about "
                f"{REACTION} s to help; set min_tasks to {warm}, so that the tasks already there bear a jump to full "
                f"load, or accept {REACTION} s."
            )
        if not self.function and min_tasks == 0 and self.acceptable_latency < WAKE:
            raise ValueError(
                f"{worker}: acceptable_latency is {in_words(self.acceptable_latency)}, but without the function a "
                f"sleeping service takes about {WAKE} s to wake; set min_tasks to 1, or accept {WAKE} s."
            )
        return max(most, min_tasks)

    def _rate(self, of_worker: float | None) -> float | None:
        return of_worker if self.max_downstream_rate is None else self.max_downstream_rate


def warm_tasks(most: int, *, acceptable_latency: int) -> int:
    """How many tasks must always run to keep the latency when the load jumps from nothing to all that `most` can bear.

    Until more tasks help, the warm ones work the load off alone. The message that waits longest, the one whose turn
    comes just then, waits for REACTION * (1 - warm / most).
    """
    # In whole numbers, because 1 - 60 / 150 is not quite 0.6.
    return math.ceil(max(0, most * (REACTION - acceptable_latency)) / REACTION)

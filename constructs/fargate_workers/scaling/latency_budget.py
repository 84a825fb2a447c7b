"""What scaling by latency may cost in waiting, and whether tasks can keep it. Pure arithmetic, without the CDK."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers_planner.arithmetic import DECISION, LAUNCH_LATENCY, Mode
from fargate_workers_planner.metric_math import ASLEEP, LatencyExpressions, latency_expressions, most_tasks

ACCEPTABLE_LATENCY = 300
PROCESSING_TIME = 1.0


class PlannedWorker(NamedTuple):
    """The name of a worker, and its policy as the planner reads it.

    Attributes:
        worker: The worker's qualified name, by which its metrics go.
        policy: The fields of the planner's `Policy`: seconds, and messages per second.
    """

    worker: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LatencyBudget:
    """The options of `Scaling.for_latency`, apart from the numbers of tasks.

    Args:
        acceptable_latency: Seconds a message may wait. Defaults to 300.
        processing_time: Seconds of work per message, until it is measured. Defaults to 1.
        max_downstream_rate: Messages per second that the downstream bears. Defaults to the worker's own limit.
        mode: "cost" lets messages wait for longer. Defaults to "balanced".
        launch_latency: Seconds from the start of a task until it works. Defaults to 40.
        function: Whether a function plans. Defaults to True.

    Raises:
        ConfigurationError: A value is out of its range.
    """

    acceptable_latency: int = ACCEPTABLE_LATENCY
    processing_time: float = PROCESSING_TIME
    max_downstream_rate: float | None = None
    mode: Mode = "balanced"
    launch_latency: int = LAUNCH_LATENCY
    function: bool = True

    def __post_init__(self) -> None:
        if self.acceptable_latency < 1:
            raise ConfigurationError(
                f"for_latency: acceptable_latency is {self.acceptable_latency} s; every message waits a little, "
                "accept 1 s or more."
            )
        if self.processing_time <= 0:
            raise ConfigurationError(
                f"for_latency: processing_time is {self.processing_time:g} s; every message takes a little, "
                "use more than 0."
            )
        if self.max_downstream_rate is not None and self.max_downstream_rate <= 0:
            raise ConfigurationError(
                f"for_latency: max_downstream_rate is {self.max_downstream_rate:g}; use more than 0 messages a second, "
                "or leave it out for no limit."
            )
        if self.launch_latency < 1:
            raise ConfigurationError(
                f"for_latency: launch_latency is {self.launch_latency} s; every task takes a while to start, "
                "say 1 s or more."
            )
        if self.mode not in get_args(Mode):
            raise ConfigurationError(f"for_latency: mode is {self.mode!r}; use one of {', '.join(get_args(Mode))}.")

    def planned(
        self, worker: str, *, concurrency: int, min_tasks: int, max_tasks: int, max_downstream_rate: float | None
    ) -> PlannedWorker:
        """The policy of one worker, for the planner.

        Args:
            worker: The worker's qualified name.
            concurrency: Messages that a task handles at once.
            min_tasks: Tasks that always run.
            max_tasks: Tasks that may run at most.
            max_downstream_rate: The worker's own limit in messages per second, for a budget without one. None is
                without limit.

        Raises:
            ConfigurationError: The service may sleep for longer than messages may wait.
        """
        self._check_sleep(worker, min_tasks=min_tasks)
        rate = self._rate(max_downstream_rate)
        policy = {
            "acceptable_latency": self.acceptable_latency,
            "processing_time": self.processing_time,
            "concurrency": concurrency,
            "min_tasks": min_tasks,
            "max_tasks": max_tasks,
            "mode": self.mode,
        }
        if self.launch_latency != LAUNCH_LATENCY:
            policy["launch_latency"] = self.launch_latency
        return PlannedWorker(worker, policy if rate is None else {**policy, "max_downstream_rate": rate})

    def most_tasks(
        self, worker: str, *, concurrency: int, min_tasks: int, max_tasks: int, max_downstream_rate: float | None
    ) -> int:
        """The number of tasks that the downstream bears, by the declared processing time.

        Args:
            worker: The worker's qualified name, for the error.
            concurrency: Messages that a task handles at once.
            min_tasks: Tasks that always run.
            max_tasks: Tasks that may run at most.
            max_downstream_rate: The worker's own limit in messages per second, for a budget without one. None is
                without limit.

        Raises:
            ConfigurationError: The service may sleep for longer than messages may wait.
        """
        self._check_sleep(worker, min_tasks=min_tasks)
        return most_tasks(
            processing_time=self.processing_time,
            concurrency=concurrency,
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            max_downstream_rate=self._rate(max_downstream_rate),
        )

    def expressions(self, *, concurrency: int, min_tasks: int, most_tasks: int) -> LatencyExpressions:
        """The budget in metric math, for a service without the function.

        Args:
            concurrency: Messages that a task handles at once.
            min_tasks: Tasks that always run.
            most_tasks: Tasks that may run, for the downstream's sake too.
        """
        return latency_expressions(
            acceptable_latency=self.acceptable_latency,
            processing_time=self.processing_time,
            concurrency=concurrency,
            min_tasks=min_tasks,
            most_tasks=most_tasks,
            mode=self.mode,
            launch_latency=self.launch_latency,
        )

    def _check_sleep(self, worker: str, *, min_tasks: int) -> None:
        wake = (DECISION if self.function else ASLEEP) + self.launch_latency
        if min_tasks == 0 and self.acceptable_latency < wake:
            without = "" if self.function else "without the function "
            raise ConfigurationError(
                f"{worker}: acceptable_latency is {in_words(self.acceptable_latency)}, but {without}a sleeping service "
                f"takes about {wake} s to wake; set min_tasks to 1, or accept {wake} s."
            )

    def _rate(self, of_worker: float | None) -> float | None:
        return of_worker if self.max_downstream_rate is None else self.max_downstream_rate

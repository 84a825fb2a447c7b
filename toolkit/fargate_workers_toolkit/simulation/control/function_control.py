"""Lambda's own scaling of a function that drains a queue, once a minute.

While messages wait, it invokes more at once, by so many a minute; when none wait, as many as are at work.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

import math
from dataclasses import replace

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import FunctionUse, ScaledService
from fargate_workers_toolkit.simulation.track import Event

#: From the start of an environment until it handles messages, in seconds, of which the runtime takes a quarter.
COLD_START = 1.0


def as_a_function(assumptions: Assumptions) -> Assumptions:
    """The assumptions of a function: environments start within a second, and nobody takes them back.

    Args:
        assumptions: Those of tasks.
    """
    return replace(assumptions, launch_median=COLD_START, failed_starts=0, spot_interruptions=0)


class FunctionControl(Control):
    """The number of invocations that may be at work.

    Lambda adds them all through the minute; here they come at its end, so that ages are a minute too high at most.

    Args:
        service: The service, whose tasks are invocations.
        use: How Lambda invokes it.
        assumptions: What AWS does not promise.
    """

    def __init__(self, service: ScaledService, use: FunctionUse, *, assumptions: Assumptions) -> None:
        super().__init__(service, assumptions=assumptions)
        self._use = use
        self._most = service.bounds
        self._side_by_side = service.task.concurrency
        self._moment = 0

    def minute(self, seen: Observation, *, deploying: bool = False) -> int:
        """The invocations that may be at work from the end of a minute on.

        Args:
            seen: The minute.
            deploying: Without effect: a new version takes over without new invocations.
        """
        del deploying
        self._moment += 60
        before = self.desired
        if seen.visible >= 1:
            self.desired = self._most.clamp(before + self._use.more_a_minute)
        else:
            self.desired = self._most.clamp(min(before, math.ceil(seen.in_flight / self._side_by_side)))
        if self.desired != before:
            self.events.append(Event(self._moment, "scaled", "Lambda", f"{before} -> {self.desired}"))
        return self.desired

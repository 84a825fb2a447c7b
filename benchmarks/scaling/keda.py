"""KEDA's scaling on a queue's length, as far as an engine that looks once a minute can follow it.

KEDA asks every 30 seconds and the autoscaler behind it decides every 15: one look a minute is slower to grow, and
turns around less often. Messages in flight count, and what was wanted in the last five minutes is kept.
https://keda.sh/docs/latest/scalers/aws-sqs/
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior
"""

import math
from collections import deque
from dataclasses import replace

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.engines.fluid.run import FluidRun
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.result import Prices, Result

STABLE_MINUTES = 5
DECISIONS_A_MINUTE = 4


class Keda(Control):
    """Wants a task for so many messages."""

    def __init__(self, service: ScaledService, *, queue_length: int) -> None:
        super().__init__(service, assumptions=Assumptions())
        self._queue_length = queue_length
        self._least, self._most = service.bounds
        self._wanted: deque[int] = deque(maxlen=STABLE_MINUTES)

    def minute(self, seen: Observation, *, deploying: bool = False) -> int:  # noqa: ARG002 - Kubernetes has other deployments
        wanted = math.ceil((seen.visible + seen.in_flight) / self._queue_length)
        self._wanted.append(min(max(wanted, self._least), self._fastest()))
        self.desired = max(self._wanted)
        return self.desired

    def _fastest(self) -> int:
        """Four more or twice as many at each decision, whichever is more."""
        tasks = self.desired
        for _ in range(DECISIONS_A_MINUTE):
            tasks = max(tasks + 4, 2 * tasks)
        return min(tasks, self._most)


def simulate_keda(service: ScaledService, load: Load, *, queue_length: int, slo: float, seed: int) -> Result:
    """`service`, scaled by KEDA instead."""
    scaled = replace(service, name=f"KEDA, {queue_length} a task", planner=None, steps={}, alarms=(), tracking=())
    control = Keda(scaled, queue_length=queue_length)
    track = FluidRun(scaled, load, control, assumptions=Assumptions(), seed=seed).run()
    return Result.of(track, service=scaled, load=load.name, engine="fluid", slo=slo, prices=Prices())

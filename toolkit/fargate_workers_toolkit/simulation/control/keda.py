"""KEDA and the horizontal pod autoscaler, as far as an engine that looks once a minute can follow them.

KEDA asks the queue every 30 seconds, and the autoscaler decides every 15: one look a minute grows later, and turns
around less often.

https://keda.sh/docs/latest/scalers/aws-sqs/
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
"""

import math
from collections import deque

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import KedaRule, ScaledService
from fargate_workers_toolkit.simulation.track import Event


class KedaControl(Control):
    """Pods = ceil(messages / messages for each pod), messages in flight among them.

    Out: all that is missing, at once. In: to the highest number wanted within the stabilization, by half a minute at
    most. To none: after the cooldown without a message; the first message then wakes one pod at least.

    Args:
        service: The service.
        rule: The rule.
        assumptions: What AWS does not promise.
    """

    def __init__(self, service: ScaledService, rule: KedaRule, *, assumptions: Assumptions) -> None:
        super().__init__(service, assumptions=assumptions)
        self._rule = rule
        self._least, self._most = service.bounds
        self._wanted: deque[int] = deque([self.desired], maxlen=max(1, rule.stabilization // 60))
        self._quiet = 0
        self._minute = 0

    def minute(self, seen: Observation, *, deploying: bool = False) -> int:
        """The desired pods from the end of a minute on.

        Args:
            seen: The minute.
            deploying: Whether a deployment runs, which does not keep the autoscaler from scaling in.
        """
        del deploying
        self._minute += 1
        messages = seen.visible + seen.in_flight
        self._quiet = 0 if messages > 0 else self._quiet + 60
        before = self.desired
        self.desired = self._decided(messages)
        if self.desired != before:
            self.events.append(Event(60 * self._minute, "scaled", "KEDA", f"{before} -> {self.desired}"))
        return self.desired

    def _decided(self, messages: float) -> int:
        if self._least == 0 and self._quiet >= self._rule.cooldown:
            self._wanted.clear()
            return 0
        if self.desired == 0 and messages <= 0:
            return 0
        self._wanted.append(self._recommended(messages))
        kept = max(self._wanted)
        return max(kept, self.desired - max(1, math.ceil(self.desired / 2))) if kept < self.desired else kept

    def _recommended(self, messages: float) -> int:
        """What the autoscaler recommends now; the present number where that is near enough."""
        target = self._rule.queue_length * self.desired
        near = target > 0 and abs(messages - target) <= self._rule.tolerance * target
        wanted = self.desired if near else math.ceil(messages / self._rule.queue_length)
        return min(max(wanted, self._least, 1), self._most)

"""Whether SQS reports a queue's metrics: of one that nobody has touched for six hours it does not, nor at once after.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
"""

import math

from fargate_workers_toolkit.simulation.control.observation import Observation

ASLEEP_AFTER_MINUTES = 360


class QueueActivity:
    """The activity of one queue. Messages in it keep it active, and running tasks, as they ask it for more.

    Args:
        waking_lag: Seconds for which a queue that wakes reports nothing yet.
    """

    def __init__(self, *, waking_lag: float) -> None:
        self._waking = math.ceil(waking_lag / 60)
        self._idle = self._silent = 0

    def reports(self, seen: Observation) -> bool:
        """Ends a minute; whether there are datapoints of it."""
        if not (seen.running or seen.visible or seen.in_flight or seen.sent):
            self._idle += 1
            return self._idle <= ASLEEP_AFTER_MINUTES
        if self._idle > ASLEEP_AFTER_MINUTES:
            self._silent = self._waking
        self._idle = 0
        self._silent = max(self._silent - 1, -1)
        return self._silent < 0

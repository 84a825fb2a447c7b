"""A source of work as the planner reads it: by metrics of the last minutes, and by its own counts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fargate_workers_planner.arithmetic import Observation, Plan, Policy, Work
from fargate_workers_planner.reading import MinutelyMetric, Minutes

#: The minutes of each metric of one worker, by its short name.
Found = Mapping[str, Minutes]

#: Minutes after which an age is no evidence of the present.
AGE_LASTS = 3


class Seen(NamedTuple):
    """What a source holds.

    Attributes:
        visible: Messages that wait, now; with those in flight where they are counted together.
        in_flight: Messages that tasks have received and not finished, now. None: they are counted together.
        oldest_age: Seconds that the oldest message has waited. None is not known.
        arrivals: Messages that came in the last minutes, oldest first; None where not known.
        groups: Message groups with messages in flight in the same minutes, of a FIFO queue. Default: none.
    """

    visible: float
    in_flight: float | None
    oldest_age: float | None
    arrivals: Sequence[float | None]
    groups: Sequence[float | None] = ()


class Source(ABC):
    """A source of work as the planner reads it."""

    @abstractmethod
    def metrics(self, worker: str) -> Mapping[str, MinutelyMetric]:
        """The metrics to read in every run, by short names.

        Args:
            worker: The qualified name of the worker that drains it.
        """

    @abstractmethod
    def look(self, found: Found, *, sqs: Any) -> Seen:
        """What the source holds now.

        Args:
            found: The minutes of its metrics.
            sqs: The client of SQS.

        Raises:
            LookupError: Nothing is known of it.
        """

    def metrics_of_work(self) -> Mapping[str, MinutelyMetric]:
        """The metrics to read of a worker that reports no work. Defaults to none."""
        return {}

    def inferred_work(self, found: Found) -> Sequence[Work | None]:  # noqa: ARG002  for those that can
        """The work of each minute by those metrics. Defaults to none that is known.

        Args:
            found: Their minutes.
        """
        return []

    def settle(self, plan: Plan, policy: Policy, seen: Observation, found: Found) -> Plan:  # noqa: ARG002  as above
        """The plan, as the source bears it. Defaults to what the work asks for.

        Args:
            plan: What the work asks for.
            policy: The options of the worker's scaling.
            seen: What can be seen of the worker now.
            found: The minutes of the source's metrics.
        """
        return plan

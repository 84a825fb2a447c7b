"""The control plane, once a minute: alarms, policies, schedules and the planner decide how many tasks to want."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from fargate_workers_toolkit.aws_behaviour import (
    Cooldowns,
    Outcome,
    Reading,
    Tracked,
    TrackingPolicy,
    scale_by_steps,
    track,
)
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.alarm_watch import AlarmWatch
from fargate_workers_toolkit.simulation.control.metric_feed import Feed
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.control.queue_activity import QueueActivity
from fargate_workers_toolkit.simulation.model import ScaledService, ScheduledAction, Source, Tracking
from fargate_workers_toolkit.simulation.track import Event

MINUTES_A_DAY = 1440


class Planner(Protocol):
    """A publisher of custom metrics once a minute."""

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        """The metrics that the planner publishes at the end of a minute.

        Args:
            seen: The minute.
            desired: The desired tasks.
        """
        ...


class Control:
    """The control plane of one service, which decides its desired tasks.

    Args:
        service: The service.
        assumptions: What AWS does not promise.
        planner: The publisher of custom metrics. Defaults to None: there is none.
        scheduled: The scheduled actions by the minute, since the beginning, at the end of which they happen. Defaults
            to those of the service, every day at their minute of the day.
    """

    def __init__(
        self,
        service: ScaledService,
        *,
        assumptions: Assumptions,
        planner: Planner | None = None,
        scheduled: Mapping[int, Sequence[ScheduledAction]] | None = None,
    ) -> None:
        self.desired = service.bounds.clamp(service.initial_tasks)
        self.events: list[Event] = []
        self.sources = _sources(service)
        self.plans = planner is not None
        self._assumptions = assumptions
        self._plans_first = self.plans and assumptions.planner_first
        self._plans_last = self.plans and not assumptions.planner_first
        self._planner = planner
        self._bounds = service.bounds
        self._cooldowns = Cooldowns()
        self._second = 0
        self._blocked: dict[str, str] = {}
        self._futile: dict[str, tuple[float, int]] = {}
        minimums = [service.bounds.minimum, *(action.minimum for action in service.scheduled)]
        # While a task runs it asks the queue for messages, and a planner reads it: it does not sleep.
        sleeps = 0 in minimums and not self.plans
        activity = QueueActivity(waking_lag=assumptions.waking_lag) if sleeps else None
        feed = self._feed = Feed(self.sources, assumptions, activity=activity)
        self._alarms = [
            (AlarmWatch.of(feed, alarm), [(name, service.steps[name]) for name in alarm.policies])
            for alarm in service.alarms
        ]
        self._tracking = [_Tracking(feed, tracking, assumptions) for tracking in service.tracking]
        self._daily: dict[int, list[ScheduledAction]] = {}
        for action in service.scheduled:
            self._daily.setdefault(action.minute, []).append(action)
        self._scheduled = scheduled

    def minute(self, seen: Observation, *, deploying: bool = False) -> int:
        """The desired tasks from the end of a minute on.

        Args:
            seen: The minute.
            deploying: Whether a deployment runs, during which nothing scales in. Defaults to False.
        """
        self._second += 60
        if self._daily:
            self._reschedule(self._second // 60)
        if deploying:
            # Until the new version's tasks have replaced the old one's, both count.
            # https://github.com/aws/containers-roadmap/issues/525
            seen = seen._replace(running=seen.running + seen.pending)
        start = None if self._assumptions.starting_point == "desired" else seen.running
        if self._plans_first:
            self._plan(seen)
        self._feed.add(seen)
        for alarm, policies in self._alarms:
            if alarm.evaluate():
                self._note_state(alarm)
            # Unlike notifications, scaling actions run again at every evaluation.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
            if alarm.state == "ALARM" and alarm.evaluated:
                for name, policy in policies:
                    metric = policy.metric_of(alarm.evaluated)
                    # At a bound the same metric asks for the same again, in vain.
                    if self._futile.get(name) == (metric, self.desired):
                        continue
                    outcome = scale_by_steps(
                        policy,
                        difference=metric - alarm.threshold,
                        current=self.desired,
                        bounds=self._bounds,
                        moment=self._second,
                        last=self._cooldowns.last(name),
                        start=start,
                        scale_in_waits=self._assumptions.scale_in_waits,
                        others_grew=self._cooldowns.growing(self._second),
                    )
                    self._settle(name, outcome, deploying=deploying)
                    if outcome.blocked in ("minimum", "maximum"):
                        self._futile[name] = metric, self.desired
        if self._tracking:
            self._track(start=start, deploying=deploying)
        if self._plans_last:
            self._plan(seen)
        return self.desired

    def _plan(self, seen: Observation) -> None:
        if self._planner is not None:
            self._feed.publish(self._planner.plan(seen, desired=self.desired))

    def _settle(self, name: str, outcome: Outcome, *, deploying: bool) -> None:
        before, blocked = self.desired, outcome.blocked
        if outcome.activity is not None and outcome.capacity < before and deploying:
            self._block(name, "deployment")
        elif outcome.activity is not None:
            self._cooldowns.begin(name, outcome.activity)
            self.desired = outcome.capacity
            self._blocked.pop(name, None)
            self.events.append(Event(self._second, "scaled", name, f"{before} -> {outcome.capacity}"))
        elif blocked is not None:
            self._block(name, blocked)

    def _block(self, name: str, reason: str) -> None:
        """Note why a policy is blocked, once for each reason in a row: an alarm tries again every minute."""
        if self._blocked.get(name) != reason:
            self._blocked[name] = reason
            self.events.append(Event(self._second, "blocked", name, reason))

    def _track(self, *, start: int | None, deploying: bool) -> None:
        for tracking in self._tracking:
            for alarm in (tracking.high, tracking.low):
                if alarm.evaluate():
                    self._note_state(alarm)
        decided = track(
            [tracking.read() for tracking in self._tracking],
            cooldowns=self._cooldowns,
            current=self.desired,
            bounds=self._bounds,
            moment=self._second,
            start=start,
            scale_in_waits=self._assumptions.scale_in_waits,
        )
        if decided is not None:
            name, outcome = decided
            self._settle(name, outcome, deploying=deploying)

    def _reschedule(self, minute: int) -> None:
        """Set the bounds of a minute, counted from the beginning; they hold at once, whatever cools down."""
        if self._scheduled is None:
            actions = self._daily.get(minute % MINUTES_A_DAY, ())
        else:
            actions = self._scheduled.get(minute, ())
        for action in actions:
            minimum = self._bounds.minimum if action.minimum is None else action.minimum
            maximum = self._bounds.maximum if action.maximum is None else action.maximum
            self._bounds = self._bounds._replace(minimum=minimum, maximum=maximum)
            self.desired = self._bounds.clamp(self.desired)
            self._futile.clear()
            self.events.append(Event(self._second, "schedule", action.name, f"{minimum} to {maximum} tasks"))

    def _note_state(self, alarm: AlarmWatch) -> None:
        self.events.append(Event(self._second, "alarm", alarm.name, alarm.state))


class _Tracking:
    """A target tracking policy with the two alarms that AWS makes for it."""

    def __init__(self, feed: Feed, tracking: Tracking, assumptions: Assumptions) -> None:
        policy = tracking.policy.shrinking(assumptions.tracking_scale_in)
        self.name = tracking.name
        self.policy: TrackingPolicy = policy
        self.high = AlarmWatch(
            feed,
            tracking.query,
            name=f"{tracking.name} AlarmHigh",
            comparison="GreaterThanThreshold",
            threshold=policy.target,
            evaluation_periods=policy.high_periods,
            datapoints_to_alarm=policy.high_periods,
        )
        self.low = AlarmWatch(
            feed,
            tracking.query,
            name=f"{tracking.name} AlarmLow",
            comparison="LessThanThreshold",
            threshold=policy.target * policy.low_ratio,
            evaluation_periods=policy.low_periods,
            datapoints_to_alarm=policy.low_periods,
        )

    def read(self) -> Tracked:
        high, low = (Reading(alarm.state == "ALARM", alarm.metric) for alarm in (self.high, self.low))
        return Tracked(self.name, self.policy, high, low)


def _sources(service: ScaledService) -> frozenset[Source]:
    queries = [alarm.query for alarm in service.alarms] + [tracking.query for tracking in service.tracking]
    return frozenset(metric.source for query in queries for metric in query.metrics.values())

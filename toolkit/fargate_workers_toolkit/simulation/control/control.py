"""The control plane, once a minute: alarms, policies, schedules and the planner decide how many tasks to want."""

from collections.abc import Mapping
from typing import Protocol

from fargate_workers_toolkit.semantics.cooldown import Cooldowns, Outcome
from fargate_workers_toolkit.semantics.step_scaling import scale_by_steps
from fargate_workers_toolkit.semantics.target_tracking import Reading, Tracked, TrackingPolicy, track
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.metric_feed import Feed
from fargate_workers_toolkit.simulation.control.queue_activity import QueueActivity
from fargate_workers_toolkit.simulation.control.seen import Seen
from fargate_workers_toolkit.simulation.control.watching import Watching
from fargate_workers_toolkit.simulation.events import Event
from fargate_workers_toolkit.simulation.model import ScaledService, Source, Tracking

MINUTES_A_DAY = 1440


class Planner(Protocol):
    """What publishes custom metrics once a minute."""

    def plan(self, seen: Seen, *, desired: int) -> Mapping[Source, float]: ...


class Control:
    """Decides the desired tasks of one service."""

    def __init__(self, service: ScaledService, *, assumptions: Assumptions, planner: Planner | None = None) -> None:
        self.desired = service.bounds.clamp(service.initial_tasks)
        self.events: list[Event] = []
        self.sources = _sources(service)
        self.plans = planner is not None
        self._service = service
        self._assumptions = assumptions
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
            (Watching.of(feed, alarm), [(name, service.steps[name]) for name in alarm.policies])
            for alarm in service.alarms
        ]
        self._tracking = [_Tracking(feed, tracking, assumptions) for tracking in service.tracking]
        self._scheduled: dict[int, list[str]] = {}
        for action in service.scheduled:
            self._scheduled.setdefault(action.minute, []).append(action.name)

    def minute(self, seen: Seen, *, deploying: bool = False) -> int:
        """Ends a minute; the desired tasks from now on. While a deployment runs nothing scales in."""
        self._second += 60
        if self._scheduled:
            self._reschedule(self._second // 60 % MINUTES_A_DAY)
        if self.plans and self._assumptions.planner_first:
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
                        start=None if self._assumptions.starting_point == "desired" else seen.running,
                        scale_in_waits=self._assumptions.scale_in_waits,
                        others_grew=self._cooldowns.growing(self._second),
                    )
                    self._settle(name, outcome, deploying=deploying)
                    if outcome.blocked in ("minimum", "maximum"):
                        self._futile[name] = metric, self.desired
        if self._tracking:
            self._track(deploying=deploying)
        if self.plans and not self._assumptions.planner_first:
            self._plan(seen)
        return self.desired

    def _plan(self, seen: Seen) -> None:
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
        """Once for each reason in a row: an alarm tries again every minute."""
        if self._blocked.get(name) != reason:
            self._blocked[name] = reason
            self.events.append(Event(self._second, "blocked", name, reason))

    def _track(self, *, deploying: bool) -> None:
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
            scale_in_waits=self._assumptions.scale_in_waits,
        )
        if decided is not None:
            name, outcome = decided
            self._settle(name, outcome, deploying=deploying)

    def _reschedule(self, minute: int) -> None:
        """New bounds hold at once, whatever cools down."""
        for action in self._service.scheduled:
            if action.minute == minute:
                minimum = self._bounds.minimum if action.minimum is None else action.minimum
                maximum = self._bounds.maximum if action.maximum is None else action.maximum
                self._bounds = self._bounds._replace(minimum=minimum, maximum=maximum)
                self.desired = self._bounds.clamp(self.desired)
                self._futile.clear()
                self.events.append(Event(self._second, "schedule", action.name, f"{minimum} to {maximum} tasks"))

    def _note_state(self, alarm: Watching) -> None:
        self.events.append(Event(self._second, "alarm", alarm.name, alarm.state))


class _Tracking:
    """A target tracking policy with the two alarms that AWS makes for it."""

    def __init__(self, feed: Feed, tracking: Tracking, assumptions: Assumptions) -> None:
        policy = tracking.policy.shrinking(assumptions.tracking_scale_in)
        self.name = tracking.name
        self.policy: TrackingPolicy = policy
        self.high = Watching(
            feed,
            tracking.query,
            name=f"{tracking.name} AlarmHigh",
            comparison="GreaterThanThreshold",
            threshold=policy.target,
            evaluation_periods=policy.high_periods,
            datapoints_to_alarm=policy.high_periods,
        )
        self.low = Watching(
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

"""The fast engine: messages as a fluid, a second at a time, a minute at once, with the control plane in between.

Good for any load a policy reacts to. What it leaves out, and the exact engine has: chance in the times of single
messages, prefetching and FIFO groups.
"""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.seen import Seen
from fargate_workers_toolkit.simulation.engines.ages import Ages
from fargate_workers_toolkit.simulation.engines.fleet import Fleet
from fargate_workers_toolkit.simulation.engines.fluid_ages import FluidAges
from fargate_workers_toolkit.simulation.engines.fluid_failures import FluidFailures
from fargate_workers_toolkit.simulation.engines.fluid_queue import Curve, FluidQueue, begun
from fargate_workers_toolkit.simulation.engines.long_work_queue import LONG_WORK_SECONDS, LongWorkQueue
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.track import Minutes, Track


class FluidRun:
    """One simulation of a whole load. `deployments`: the seconds at which one begins."""

    def __init__(
        self,
        service: ScaledService,
        load: Load,
        control: Control,
        *,
        assumptions: Assumptions,
        seed: int = 0,
        deployments: Sequence[int] = (),
    ) -> None:
        self._task = service.task
        self._load = load
        self._control = control
        self._assumptions = assumptions
        self._deployments = sorted(deployments)
        self._fleet = Fleet(control.desired, assumptions=assumptions, seed=seed)
        arrivals = load.arrivals if load.poison is None else load.arrivals + load.poison
        self._sent: list[float] = np.add.reduceat(arrivals, np.arange(0, load.seconds, 60)).tolist()
        self._visibility = service.queue.visibility_timeout
        self._new_failures = partial(
            FluidFailures,
            load,
            visibility_timeout=self._visibility,
            max_receive_count=service.queue.max_receive_count,
        )
        self._failures = None if load.outage is None and load.poison is None else self._new_failures()
        self._most_in_flight = service.queue.most_in_flight
        self._mean_work = _means(load)
        self._queue = self._new_queue(arrivals, service.queue.retention, seed)
        self._slots: NDArray[np.int64] = np.zeros(load.seconds + 1, dtype=np.int64)
        self._minutes = Minutes()
        self._begun = 0.0
        self._begun_by_minute: list[float] = []
        self._finished = 0.0
        self._oldest = 0
        self._killed = 0
        self._killed_at: dict[int, int] = {}
        self._doomed = 0.0
        self._slot_seconds = 0
        self._busy = 0.0
        self._at = 0
        self._aged = "oldest_age" in control.sources or control.plans
        # By which share of a message counts are rounded up at the end of a minute: what is seen is whole.
        self._part: list[float] = np.random.default_rng(seed).random(-(-load.seconds // 60)).tolist()

    def _new_queue(self, arrivals: NDArray[np.int64], retention: float, seed: int) -> FluidQueue:
        if self._assumptions.service_times == "fixed":
            return FluidQueue(arrivals, retention=retention)
        if min(self._mean_work) >= LONG_WORK_SECONDS:
            return LongWorkQueue(arrivals, retention=retention, seed=seed, work_seconds=self._mean_work)
        return FluidQueue(arrivals, retention=retention, seed=seed)

    def run(self) -> Track:
        seconds = self._load.seconds
        for begin in range(0, seconds, 60):
            self._minute(begin, min(begin + 60, seconds))
        return self._track()

    def _minute(self, begin: int, end: int) -> None:
        while self._deployments and self._deployments[0] < end:
            self._fleet.deploy(max(self._deployments.pop(0), begin))
        work = self._mean_work[begin // 60]
        begun_before, finished_before = self._begun, self._finished
        queue, failures = self._queue, self._failures
        if failures is None or not failures.matter(begin, entered=queue.entered, begun=self._begun):
            if failures is not None and failures.returned:
                queue.entered[begin + 1 : end + 1] += failures.returned
            capacity, slots = self._capacity(begin, end, work)
            queue.serve_minute(begin, end, capacity)
            self._finished = max(self._finished, queue.finished_by(end, work=work))
            self._begun = max(self._begun, min(float(queue.entered[end]), self._finished + slots))
            hidden = 0.0
        else:
            for first in range(begin, end, failures.block):
                self._with_failures(failures, first, min(first + failures.block, end), work)
            hidden = failures.hidden
        began, done = self._begun - begun_before, self._finished - finished_before
        self._observe(end, end - begin, work, began=began, finished=done, hidden=hidden)

    def _with_failures(self, failures: FluidFailures, begin: int, end: int, work: float) -> None:
        queue = self._queue
        failures.enter(begin, end, queue.entered)
        capacity, _ = self._capacity(begin, end, work)
        capacity = np.minimum(capacity, max(self._most_in_flight - failures.hidden, 0.0) / (end - begin))
        queue.serve(begin, end, capacity)
        part = slice(begin, end + 1)
        finished = queue.finished(begin, end, work=work)
        curve = begun(queue.entered[part], finished, self._slots[part], before=self._begun)
        curve[0] = self._begun
        self._finished = max(self._finished, float(finished[-1]))
        expired = np.zeros(end - begin)
        if queue.expired:
            expired[:] = [queue.expired.get(second, 0.0) for second in range(begin, end)]
        failures.work(begin, entered=queue.entered, begun=curve, expired=expired)
        self._begun = float(curve[-1])

    def _capacity(self, begin: int, end: int, work: float) -> tuple[float | Curve, int]:
        """Messages a second that the running tasks can work off, for all seconds or by second; and slots at the end."""
        fleet, concurrency, limit = self._fleet, self._task.concurrency, self._task.rate_limit
        if fleet.next_ready >= end:
            slots = fleet.running * concurrency
            self._slots[begin + 1 : end + 1] = slots
            self._slot_seconds += slots * (end - begin)
            capacity = slots / work
            return (capacity if limit is None else min(capacity, limit)), slots
        running = np.full(end - begin, fleet.running)
        while fleet.next_ready < end:
            start = fleet.next_start()
            if start.replaces:
                self._stop(1, start.ready, then=end)
            else:
                running[max(math.ceil(start.ready) - begin, 0) :] += 1
        slots = running * concurrency
        self._slots[begin + 1 : end + 1] = slots
        self._slot_seconds += int(slots.sum())
        each = slots / work
        return (each if limit is None else np.minimum(each, limit)), int(slots[-1])

    def _stop(self, tasks: int, moment: float, *, then: int, spot: bool = False) -> None:
        """Stops tasks; of their unprotected work, what outlasts the stop timeout is killed.

        `then`: The first second that is not calculated yet. `spot`: Nothing protects a task on Spot that is taken back.
        """
        if (spot or not self._task.protected) and self._fleet.running:
            work = self._mean_work[self._at // 60]
            self._doomed += tasks / self._fleet.running * self._busy * self._outlasting(work)
            if self._doomed >= 1:
                self._kill(math.floor(self._doomed), moment, work, then=then)
                self._doomed %= 1
        self._fleet.stop(tasks, moment)

    def _kill(self, messages: int, moment: float, work: float, *, then: int) -> None:
        """Messages at work that a task took with it: they are in sight again once nobody renews their visibility."""
        failures = self._failures = self._failures or self._new_failures()
        second, timeout = math.ceil(moment), self._task.stop_timeout
        # Received about one message's work ago; this project's runtime renews until the end.
        renewed = moment + timeout if self._task.prefetches else moment - work
        back = math.ceil(max(renewed + self._visibility, moment + timeout, then))
        entered = self._queue.entered
        sent = int(np.searchsorted(entered[: second + 1], self._begun, side="left")) - 1
        failures.come_back(back, messages, sent=max(sent, 0))
        self._killed += messages
        self._killed_at[second] = self._killed_at.get(second, 0) + messages

    def _observe(self, end: int, seconds: int, work: float, *, began: float, finished: float, hidden: float) -> None:
        fleet, minutes = self._fleet, self._minutes
        part = self._part[(end - 1) // 60]
        entered = math.floor(self._queue.entered.item(end) + part)
        begun, done = math.floor(self._begun + part), math.floor(self._finished + part)
        visible = max(entered - begun, 0)
        in_flight = max(begun - done, 0) + math.floor(hidden + part)
        self._busy, self._at = self._begun - self._finished, end - seconds
        if self._task.spot_from is not None:
            self._stop(fleet.interrupted(spot_from=self._task.spot_from), end, then=end, spot=True)
        slot_seconds, self._slot_seconds = self._slot_seconds, 0
        age = self._oldest_age(end) if self._aged and visible + in_flight >= 1 else 0.0
        cpu = min(100.0, self._assumptions.busy_cpu * finished * work / slot_seconds) if slot_seconds else 0.0
        seen = Seen(
            visible,
            in_flight,
            oldest_age=age,
            sent=self._sent[(end - 1) // 60],
            received=began,
            deleted=finished,
            running=fleet.running,
            pending=fleet.pending,
            desired=self._control.desired,
            cpu=cpu,
            work_seconds=began * work,
            handled=began,
        )
        desired = self._control.minute(seen, deploying=fleet.deploying)
        if desired != fleet.running + fleet.pending or fleet.deploying:
            surplus = fleet.want(desired, end)
            if surplus:
                self._stop(surplus, end, then=end)
        minutes.desired.append(desired)
        minutes.running.append(fleet.running)
        minutes.visible.append(visible)
        minutes.in_flight.append(in_flight)
        self._begun_by_minute.append(self._begun)

    def _outlasting(self, work: float) -> float:
        """The share of messages at work that need longer than a task has to stop."""
        timeout = self._task.stop_timeout
        if self._assumptions.service_times == "exponential":
            return math.exp(-timeout / work)
        return max(0.0, 1 - timeout / work)

    def _oldest_age(self, second: int) -> float:
        """Of what is not done, in whole seconds, as SQS reports it."""
        entered, failures = self._queue.entered, self._failures
        # What was done a minute ago is done.
        after = self._oldest + int(entered[self._oldest : second + 1].searchsorted(self._finished + 1e-9, side="right"))
        self._oldest = after
        if failures is not None:
            return math.floor(max(second - failures.oldest_sent(after - 1, second), 0))
        if after > second:
            return 0.0
        before = entered.item(after - 1)
        part = (self._finished - before) / (entered.item(after) - before)
        return math.floor(second - after + 1 - part)

    def _oldest_ages(self) -> NDArray[np.float64]:
        """Of every minute, at its end: all at once, for only some policies ask for it meanwhile."""
        entered, before = self._queue.entered, np.array(self._begun_by_minute)
        ends = np.minimum(60 * np.arange(1, len(before) + 1), self._load.seconds)
        oldest = np.searchsorted(entered, before, side="right") - 1
        return np.where(entered[ends] - before >= 1, ends - oldest, 0).astype(np.float64)

    def _track(self) -> Track:
        queue, load, failures = self._queue, self._load, self._failures
        seconds = load.seconds
        self._slots[0] = self._slots[1]
        finished = queue.finished(0, seconds, work=self._delay())
        np.maximum.accumulate(finished, out=finished)
        curve = begun(queue.entered, finished, self._slots)
        exponential = self._assumptions.service_times == "exponential"
        ages = FluidAges(load, failures, exponential=exponential).of(
            queue.entered, curve, expired=queue.expired, killed=self._killed_at
        )
        self._minutes.oldest_age.extend(self._oldest_ages().tolist())
        waiting = Ages(exponential=False)
        visible = max(float(queue.entered[-1]) - self._begun, 0.0)
        if visible:
            left = np.maximum(queue.entered[1:] - np.maximum(queue.entered[:-1], self._begun), 0.0)
            waiting.add(seconds - 1 - np.arange(seconds), left, work_seconds=1e-9)
        return Track(
            seconds=seconds,
            sent=float(load.messages),
            done=ages.messages,
            dead_lettered=failures.dead_letters if failures else 0.0,
            expired=queue.expired_messages,
            visible=visible,
            in_flight=failures.hidden if failures else 0.0,
            killed=float(self._killed),
            task_seconds=self._fleet.billed_seconds(seconds),
            ages=ages,
            waiting=waiting,
            minutes=self._minutes,
            events=self._control.events,
        )

    def _delay(self) -> float | Curve:
        """How long work takes, one entry more than there are seconds, where it differs."""
        if not isinstance(self._load.work_seconds, np.ndarray):
            return self._mean_work[0]
        each = np.repeat(self._mean_work, 60)[: self._load.seconds]
        return np.concatenate((each[:1], each))


def _means(load: Load) -> list[float]:
    """The mean work time in each minute."""
    if not isinstance(load.work_seconds, np.ndarray):
        return [float(load.work_seconds)] * math.ceil(load.seconds / 60)
    begins = np.arange(0, load.seconds, 60)
    lengths = np.diff(np.append(begins, load.seconds))
    return (np.add.reduceat(load.work_seconds, begins) / lengths).tolist()

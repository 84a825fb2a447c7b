"""The fast engine: messages as a fluid, a second at a time, a minute at once, with the control plane in between.

Good for any load a policy reacts to. What it leaves out, and the exact engine has: chance in the times of single
messages, and FIFO groups.
"""

import math
from array import array
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control import Control, Observation
from fargate_workers_toolkit.simulation.engines.fleet import Fleet
from fargate_workers_toolkit.simulation.engines.fluid.ages import Ages
from fargate_workers_toolkit.simulation.engines.fluid.ages_of_run import FluidAges
from fargate_workers_toolkit.simulation.engines.fluid.failures import FluidFailures
from fargate_workers_toolkit.simulation.engines.fluid.long_work_queue import (
    LONG_WORK_SECONDS,
    FixedWorkQueue,
    LongWorkQueue,
)
from fargate_workers_toolkit.simulation.engines.fluid.partitions import busy_slots
from fargate_workers_toolkit.simulation.engines.fluid.passing import Passing
from fargate_workers_toolkit.simulation.engines.fluid.queue import CHUNK, Begun, Curve, FluidQueue, begun
from fargate_workers_toolkit.simulation.engines.receiving import fetched_ahead
from fargate_workers_toolkit.simulation.engines.retrying import Retrying
from fargate_workers_toolkit.simulation.engines.scale_in_protection import (
    LESSONS,
    ScaleInProtection,
    is_expected,
    old_work,
)
from fargate_workers_toolkit.simulation.loads import Counts, Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.track import Minutes, Track

# Work of so many times its mean is none that ever happens.
NEVER = 20


class FluidRun:
    """One simulation of a whole load, in parts of messages.

    Args:
        service: The service.
        load: The load.
        control: Decides the desired tasks.
        assumptions: What AWS does not promise.
        seed: Of all chance. Defaults to 0.
        deployments: The seconds at which a deployment begins. Defaults to none.
    """

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
        self._partitions = service.partitions
        self._load = load
        self._control = control
        self._assumptions = assumptions
        self._deployments = sorted(deployments)
        self._fleet = Fleet(control.desired, assumptions=assumptions, seed=seed)
        arrivals = load.sent
        self._sent = _by_minute(arrivals)
        self._visibility = service.queue.visibility_timeout
        self._new_failures = partial(FluidFailures, load, Retrying(service))
        # What is in memory still, and the end of the chunk that is.
        self._kept, self._end = 0, min(CHUNK, load.seconds)
        self._failures = None if load.outage is None and load.poison is None else self._failures_from_now_on()
        self._most_in_flight = service.queue.most_in_flight
        self._mean_work = _means(load)
        self._longest_work = math.ceil(max(self._mean_work))
        self._queue = self._new_queue(arrivals, service.queue.retention, seed)
        self._passing_slots = Passing(load.seconds + 1, dtype=np.int64)
        self._slots: NDArray[np.int64] = self._passing_slots.values
        self._minutes = Minutes()
        self._begun = 0.0
        self._begun_by_minute: list[float] = []
        self._finished = 0.0
        self._oldest = 0
        self._killed = 0
        self._killed_at: dict[int, int] = {}
        self._doomed = 0.0
        self._slot_seconds = 0
        self._busy = self._ended = 0.0
        self._at = 0
        # Tasks that should stop and may not yet, as they are protected: of those, the ones that a deployment replaced.
        self._held = self._replaced = 0
        self._freed = 0.0
        self._aged = "oldest_age" in control.sources or control.plans
        # By which share of a message counts are rounded up at the end of a minute: what is seen is whole.
        self._part = array("d", np.random.default_rng(seed).random(-(-load.seconds // 60)).tobytes())
        self._counting = FluidAges(load, exponential=assumptions.service_times == "exponential")
        # As of the end of the last chunk: finished, and begun.
        self._counted = (0.0, 0.0)

    def _new_queue(self, arrivals: NDArray[np.int64], retention: float, seed: int) -> FluidQueue:
        is_long = min(self._mean_work) >= LONG_WORK_SECONDS
        if self._assumptions.service_times == "fixed":
            return (FixedWorkQueue if is_long else FluidQueue)(arrivals, retention=retention)
        if is_long:
            return LongWorkQueue(arrivals, retention=retention, seed=seed)
        return FluidQueue(arrivals, retention=retention, seed=seed)

    def run(self) -> Track:
        """The outcome of the whole load."""
        seconds = self._load.seconds
        for first in range(0, seconds, CHUNK):
            self._end = min(first + CHUNK, seconds)
            if first:
                self._open(first, self._end)
            for begin in range(first, self._end, 60):
                self._minute(begin, min(begin + 60, self._end))
            self._close(first, self._end)
        return self._track()

    def _open(self, begin: int, end: int) -> None:
        self._queue.open(begin, end)
        if self._failures is not None:
            self._failures.open(begin, end)

    def _close(self, begin: int, end: int) -> None:
        """Counts what happened in a chunk, and forgets what nothing will need any more."""
        queue = self._queue
        self._count(begin, end)
        since = int(np.searchsorted(queue.entered[: end + 1], min(self._finished, *self._counted), side="left"))
        kept = max(min(since, end - self._longest_work) - 2, self._kept)
        for part in (queue, self._failures, self._passing_slots):
            if part is not None and end < self._load.seconds:
                part.forget(self._kept, kept)
        self._kept = kept

    def _failures_from_now_on(self) -> FluidFailures:
        return self._new_failures(begin=self._kept, end=self._end)

    def _minute(self, begin: int, end: int) -> None:
        while self._deployments and self._deployments[0] < end:
            self._fleet.deploy(max(self._deployments.pop(0), begin))
        work = self._mean_work[begin // 60]
        begun_before, finished_before = self._begun, self._finished
        queue, failures = self._queue, self._failures
        if failures is None or not failures.matter(begin, entered=queue.entered, begun=self._begun):
            more = (0.0 if failures is None else failures.returned) - queue.expired
            if more:
                queue.entered[begin + 1 : end + 1] += more
            capacity, slots, most = self._capacity(begin, end, work)
            queue.serve_minute(begin, end, capacity, work=work, begun=Begun(self._begun, most))
            if failures is not None and queue.kept is not None:
                failures.expire(queue.kept)
            self._finished = max(self._finished, queue.finished_by(end, work=work))
            self._begun = max(self._begun, min(float(queue.entered[end]), self._finished + slots))
            hidden = 0.0
        else:
            block = failures.block(begin)
            for first in range(begin, end, block):
                self._with_failures(failures, first, min(first + block, end), work, block=block)
            hidden = failures.hidden
        began, done = self._begun - begun_before, self._finished - finished_before
        self._observe(end, end - begin, work, began=began, finished=done, hidden=hidden)

    def _with_failures(self, failures: FluidFailures, begin: int, end: int, work: float, *, block: int) -> None:
        queue = self._queue
        failures.enter(begin, end, queue.entered)
        capacity, _, most = self._capacity(begin, end, work)
        capacity = np.minimum(capacity, max(self._most_in_flight - failures.hidden, 0.0) / (end - begin))
        queue.serve(begin, end, capacity, work=work, begun=Begun(self._begun, most))
        if queue.kept is not None:
            failures.expire(queue.kept)
        part = slice(begin, end + 1)
        finished = queue.finished(begin, end, work=work)
        curve = begun(queue.entered[part], finished, self._slots[part], before=self._begun)
        curve[0] = self._begun
        self._finished = max(self._finished, float(finished[-1]))
        failures.work(begin, entered=queue.entered, begun=curve, work=work, block=block)
        self._begun = float(curve[-1])

    def _capacity(self, begin: int, end: int, work: float) -> tuple[float | Curve, int, int]:
        """Messages a second that the running tasks can work off, for all seconds or by second.

        And their slots, at the end and at most.
        """
        fleet, concurrency, limit = self._fleet, self._task.concurrency, self._task.rate_limit
        if fleet.next_ready >= end:
            slots = busy_slots(fleet.running, concurrency=concurrency, partitions=self._partitions)
            self._slots[begin + 1 : end + 1] = slots
            self._slot_seconds += slots * (end - begin)
            capacity = slots / work
            return (capacity if limit is None else min(capacity, limit)), slots, slots
        running = np.full(end - begin, fleet.running)
        while fleet.next_ready < end:
            start = fleet.next_start()
            if start.replaces:
                self._replace(start.ready, now=begin, then=end)
            else:
                running[max(math.ceil(start.ready) - begin, 0) :] += 1
        slots = running * concurrency
        if self._partitions is not None:
            by_number = {
                int(number): busy_slots(int(number), concurrency=concurrency, partitions=self._partitions)
                for number in np.unique(running)
            }
            slots = np.array([by_number[int(number)] for number in running])
        self._slots[begin + 1 : end + 1] = slots
        self._slot_seconds += int(slots.sum())
        each = slots / work
        return (each if limit is None else np.minimum(each, limit)), int(slots[-1]), int(slots.max())

    def _protection(self, now: int) -> ScaleInProtection | None:
        """The scale-in protection of the running tasks, as of a second; None where nothing protects any of them."""
        task, work = self._task, self._mean_work[self._at // 60]
        slots = self._fleet.running * task.concurrency
        if not task.protected or not slots or work * NEVER <= task.drain:
            return None
        exponential = self._assumptions.service_times == "exponential"
        busy = min(1.0, max(0.0, self._busy / slots))
        shares = partial(
            ScaleInProtection,
            work=work,
            exponential=exponential,
            concurrency=task.concurrency,
            busy=busy,
            drain=task.drain,
            stop_timeout=task.stop_timeout,
        )
        learned = self._finished >= LESSONS * self._fleet.running
        if learned and is_expected(drain=task.drain, work=work, exponential=exponential):
            return shares(old=busy, ending=busy / work if exponential else self._ended / slots)
        before = max(now - round(task.drain), 0)
        done = self._queue.finished_by(before, work=work)
        old = old_work(
            then=min(float(self._queue.entered[before]) - done, float(self._slots[before])),
            done_since=self._finished - done,
            drain=task.drain,
            work=work,
            exponential=exponential,
        )
        old = min(busy, max(0.0, old / slots))
        return shares(old=old, ending=old / work if exponential else 0.0)

    def _replace(self, moment: float, *, now: int, then: int) -> None:
        """Stop a task of the old version, as soon as one of them is not protected.

        Args:
            moment: When, in seconds.
            now: The last second that is known.
            then: The first second that is not calculated yet.
        """
        protection = self._protection(now)
        if protection is None or protection.free_share * self._fleet.running >= 1:
            self._stop(1, moment, then=then, protection=protection)
        else:
            self._replaced += 1

    def _stop_surplus(self, surplus: int, end: int) -> None:
        """Stops tasks that are too many, as far as they are not protected; the others as they lose that."""
        protection = self._protection(end)
        stopped = surplus
        if protection is not None:
            # While some wait to be stopped, all that are free have been.
            share = protection.freed_share(60) if self._held else protection.free_share
            self._freed = share * self._fleet.running + (self._freed % 1 if self._held else self._part[(end - 1) // 60])
            stopped = min(surplus, math.floor(self._freed))
        self._held = surplus - stopped
        self._replaced = min(self._replaced, self._held)
        if stopped:
            self._stop(stopped, end, then=end, protection=protection)

    def _stop(
        self, tasks: int, moment: float, *, then: int, spot: bool = False, protection: ScaleInProtection | None = None
    ) -> None:
        """Stop tasks; of their work, what outlasts the stop timeout is killed.

        Args:
            tasks: How many.
            moment: When, in seconds.
            then: The first second that is not calculated yet.
            spot: Whether AWS takes back a task on Spot, which nothing protects. Defaults to False.
            protection: The scale-in protection of the tasks. Defaults to None: there is none.
        """
        if (spot or not self._task.protected or protection is not None) and self._fleet.running:
            work = self._mean_work[self._at // 60]
            share = self._outlasting(work) if protection is None else protection.killed_share
            doomed = tasks / self._fleet.running * self._busy * share
            self._doomed += doomed * self._healthy(moment)
            if self._doomed >= 1:
                self._kill(math.floor(self._doomed), moment, work, then=then)
                self._doomed %= 1
        self._fleet.stop(tasks, moment)

    def _healthy(self, moment: float) -> float:
        """The share of the work in progress that will not fail: what fails comes back whether it is killed or not."""
        failures, entered = self._failures, self._queue.entered
        now = min(math.ceil(moment), self._load.seconds)
        if failures is None:
            return 1.0
        if self._load.outage is not None and self._load.outage[now - 1]:
            return 0.0
        first, last = np.searchsorted(entered[: now + 1], [self._finished, self._begun], side="left").tolist()
        return failures.healthy_share(max(first - 1, 0), max(last, 1))

    def _kill(self, messages: int, moment: float, work: float, *, then: int) -> None:
        """Messages at work that a task took with it: they are in sight again once nobody renews their visibility."""
        failures = self._failures = self._failures or self._failures_from_now_on()
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
        fleet, minutes, minute = self._fleet, self._minutes, (end - 1) // 60
        running, pending, part = fleet.running, fleet.pending, self._part[minute]
        entered = int(self._queue.entered.item(end) + part)
        begun, done = int(self._begun + part), int(self._finished + part)
        visible = entered - begun if entered > begun else 0
        in_flight = (begun - done if begun > done else 0) + int(hidden + part)
        if visible and self._task.prefetches and running:
            ahead = fetched_ahead(
                concurrency=self._task.concurrency,
                work_seconds=work,
                per_second=finished / seconds / running,
                visibility=self._visibility,
            )
            fetched = min(visible, math.floor(ahead * running + part))
            visible, in_flight = visible - fetched, in_flight + fetched
        self._busy, self._ended, self._at = self._begun - self._finished, finished / seconds, end - seconds
        if self._task.spot_from is not None:
            self._stop(fleet.interrupted(spot_from=self._task.spot_from), end, then=end, spot=True)
            running = fleet.running
        slot_seconds, self._slot_seconds = self._slot_seconds, 0
        age = self._oldest_age(end) if self._aged and visible + in_flight >= 1 else 0.0
        cpu = min(100.0, 100 * finished * work / slot_seconds) if slot_seconds else 0.0
        seen = Observation(
            visible,
            in_flight,
            age,
            self._sent[minute],
            began,
            finished,
            running,
            pending,
            self._control.desired,
            cpu,
            began * work,
            began,
        )
        deploying = fleet.deploying
        desired = self._control.minute(seen, deploying=deploying or self._replaced > 0)
        if deploying or desired != running + pending:
            surplus = fleet.want(desired + self._replaced, end) + self._replaced
            if surplus:
                self._stop_surplus(surplus, end)
            else:
                self._held = 0
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
        """The age of the oldest message that is not done, in whole seconds, as SQS reports it."""
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

    def _count(self, begin: int, end: int) -> None:
        queue, counting = self._queue, self._counting
        if not begin:
            self._slots[0] = self._slots[1]
        finished = queue.finished(begin, end, work=self._delay(begin, end))
        finished[0] = max(finished[0], self._counted[0])
        np.maximum.accumulate(finished, out=finished)
        entered = queue.entered[: end + 1]
        curve = begun(entered[begin:], finished, self._slots[begin : end + 1], before=self._counted[1])
        counting.failures = self._failures
        counting.count(entered, curve, begin=begin, killed=self._killed_at)
        self._minutes.oldest_age.extend(self._oldest_ages(begin, end).tolist())
        self._killed_at = {}
        self._counted = (float(finished[-1]), float(curve[-1]))

    def _oldest_ages(self, begin: int, end: int) -> NDArray[np.float64]:
        """The oldest age at the end of every minute, all at once: only some policies ask for it meanwhile."""
        entered, before = self._queue.entered[: end + 1], np.array(self._begun_by_minute)
        self._begun_by_minute = []
        ends = np.minimum(begin + 60 * np.arange(1, len(before) + 1), end)
        oldest = np.searchsorted(entered, before, side="right") - 1
        return np.where(entered[ends] - before >= 1, ends - oldest, 0).astype(np.float64)

    def _track(self) -> Track:
        queue, load, failures, ages = self._queue, self._load, self._failures, self._counting.ages
        seconds = load.seconds
        self._minutes.retried_age.extend(self._counting.retried.tolist())
        waiting = Ages(exponential=False)
        visible = max(float(queue.entered[-1]) - self._begun, 0.0)
        if visible:
            entered = queue.entered[self._kept :]
            left = np.maximum(entered[1:] - np.maximum(entered[:-1], self._begun), 0.0)
            waiting.add(seconds - 1 - np.arange(self._kept, seconds), left, work_seconds=1e-9)
        return Track(
            seconds=seconds,
            sent=float(load.messages),
            done=ages.messages,
            dead_lettered=failures.dead_letters if failures else 0.0,
            poisoned=failures.poisoned if failures else 0.0,
            expired=queue.expired,
            visible=visible,
            in_flight=failures.hidden if failures else 0.0,
            killed=float(self._killed),
            task_seconds=self._fleet.billed_seconds(seconds),
            ages=ages,
            waiting=waiting,
            minutes=self._minutes,
            events=self._control.events,
        )

    def _delay(self, begin: int, end: int) -> float | Curve:
        """How long work takes, one entry more than there are seconds, where it differs."""
        if not isinstance(self._load.work_seconds, np.ndarray):
            return self._mean_work[0]
        each = np.repeat(self._mean_work[begin // 60 : -(-end // 60)], 60)[: end - begin]
        return np.concatenate(([self._mean_work[max(begin - 1, 0) // 60]], each))


def _by_minute(arrivals: Counts) -> "array[int]":
    minutes: array[int] = array("q")
    # numpy converts all at once what is not as wide as its sums.
    for begin in range(0, len(arrivals), CHUNK):
        part = arrivals[begin : begin + CHUNK]
        sums = np.add.reduceat(part, np.arange(0, len(part), 60), dtype=np.int64)
        minutes.frombytes(sums.tobytes())
    return minutes


def _means(load: Load) -> list[float]:
    """The mean work time in each minute."""
    if not isinstance(load.work_seconds, np.ndarray):
        return [float(load.work_seconds)] * math.ceil(load.seconds / 60)
    begins = np.arange(0, load.seconds, 60)
    lengths = np.diff(np.append(begins, load.seconds))
    return (np.add.reduceat(load.work_seconds, begins) / lengths).tolist()

"""The slow engine: every message by itself, from sending through each attempt to its end.

Has what the fluid engine leaves out: chance, batches and prefetching, FIFO groups, tasks killed in the middle of work.
"""

import math
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Literal

import numpy as np

from fargate_workers_toolkit.aws_behaviour import stop_order
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control import Control, Observation
from fargate_workers_toolkit.simulation.engines.exact.ages import ExactAges
from fargate_workers_toolkit.simulation.engines.exact.draws import messages, work_factors
from fargate_workers_toolkit.simulation.engines.exact.queue import FifoLine, Line, StandardLine
from fargate_workers_toolkit.simulation.engines.exact.task import RunningTask
from fargate_workers_toolkit.simulation.engines.fleet import Fleet
from fargate_workers_toolkit.simulation.engines.receiving import BATCH, ask_for
from fargate_workers_toolkit.simulation.engines.retrying import Retrying, longest_pause
from fargate_workers_toolkit.simulation.engines.scale_in_protection import NEWEST, OFTEN
from fargate_workers_toolkit.simulation.loads import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.track import Minutes, Track

# Seconds of unbroken protection after which the runtime takes nothing new until its task is idle.
LONGEST_STRETCH = 3600.0

Kind = Literal["done", "failed", "old", "back", "kill"]


#: When, a number that no other event has, what, the message, and the task that has it. Plain: there are millions.
_Event = tuple[float, int, Kind, int, RunningTask | None]


class ExactRun:
    """One simulation of a whole load, message by message.

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
        self._queue, self._task = service.queue, service.task
        self._load, self._control, self._assumptions = load, control, assumptions
        self._deployments = sorted(deployments)
        self._fleet = Fleet(control.desired, assumptions=assumptions, seed=seed)
        random = self._random = np.random.default_rng(seed)
        sent, poison = messages(load, random)
        self._sent: list[float] = sent.tolist()
        self._poison: list[bool] = poison.tolist()
        self._draw = work_factors(assumptions, random)
        self._work: list[float] = load.work_by_second.tolist()
        self._outage: list[bool] = [False] * load.seconds if load.outage is None else load.outage.tolist()
        self._line: Line = StandardLine()
        if service.queue.fifo:
            self._line = FifoLine(random.integers(0, load.groups, len(sent)).tolist())
        self._retrying, self._jitter = Retrying(service), Random(seed)  # noqa: S311 - a simulation, not a secret
        self._receives = [0] * len(sent)
        self._attempts = [0] * len(sent)
        self._gone = [False] * len(sent)
        self._oldest = 0
        self._received = [0.0] * len(sent)
        self._tasks = [RunningTask(started=0.0) for _ in range(self._fleet.running)]
        self._asking: deque[RunningTask] = deque(self._tasks)
        for task in self._tasks:
            task.asking = True
        self._events: list[_Event] = []
        self._numbers = count()
        self._next = self._sent_before = 0
        self._ages: list[float] = []
        self._poisoned = 0
        self._retried = 0.0
        self._dead = self._expired = self._killed = self._hidden = self._held = 0
        self._surplus = self._replaced = 0
        self._received_now = self._deleted_now = self._handled_now = 0
        self._worked = self._worked_before = self._work_now = 0.0
        self._begun_sum, self._busy = 0.0, 0
        # Task-seconds so far, less those of the running tasks since the beginning.
        self._ran = self._ran_before = 0.0
        self._minutes = Minutes()

    def run(self) -> Track:
        """The outcome of the whole load."""
        for begin in range(0, self._load.seconds, 60):
            end = min(begin + 60, self._load.seconds)
            self._until(float(end))
            self._minute(begin, end)
        return Track(
            seconds=self._load.seconds,
            sent=float(len(self._sent)),
            done=float(len(self._ages)),
            dead_lettered=float(self._dead),
            poisoned=float(self._poisoned),
            expired=float(self._expired),
            visible=float(len(self._line)),
            in_flight=float(self._held + self._hidden),
            killed=float(self._killed),
            task_seconds=self._fleet.billed_seconds(self._load.seconds),
            ages=ExactAges(self._ages),
            waiting=ExactAges([self._load.seconds - self._sent[message] for message in self._line.messages()]),
            minutes=self._minutes,
            events=self._control.events,
        )

    # Time

    def _until(self, end: float) -> None:
        """Lets everything happen up to `end`, in order."""
        events, fleet, sent, total = self._events, self._fleet, self._sent, len(self._sent)
        while True:
            coming = sent[self._next] if self._next < total else math.inf
            due = events[0][0] if events else math.inf
            ready = fleet.next_ready
            deployment = self._deployments[0] if self._deployments else math.inf
            moment = min(coming, due, ready, deployment)
            if moment >= end:
                return
            if moment == coming:
                self._line.put(self._next)
                self._next += 1
                if self._asking:
                    self._hand_out(moment)
            elif moment == due:
                self._happen(heappop(events))
            elif moment == ready:
                self._start(moment)
            else:
                self._deployments.pop(0)
                fleet.deploy(moment)
                for task in self._tasks:
                    task.outdated = True

    def _happen(self, event: _Event) -> None:
        moment, _, kind, message, task = event
        if task is None:
            self._come_back(message, moment)
        elif task.killed:
            return
        elif kind == "kill":
            self._kill(task, moment)
        elif kind == "old":
            self._protect(task, message, moment)
        else:
            self._finish(message, task, moment, failed=kind == "failed")

    def _schedule(self, moment: float, kind: Kind, message: int, task: RunningTask | None) -> None:
        heappush(self._events, (moment, next(self._numbers), kind, message, task))

    # Messages

    @property
    def _available(self) -> bool:
        """Whether a receive would bring a message."""
        return bool(self._line.ready) and self._held + self._hidden < self._queue.most_in_flight

    def _hand_out(self, moment: float) -> None:
        """Gives what is in sight to the tasks that ask, in turn."""
        asking = self._asking
        while asking and self._available:
            task = asking.popleft()
            task.asking = False
            self._ask(task, moment)

    def _ask(self, task: RunningTask, moment: float) -> None:
        """Receives what the task wants and can have; if it wants more, its next receive stays open."""
        if task.asking or task.stopping or task.resting:
            return
        while wanted := self._wanted(task, moment):
            if not self._available:
                task.asking = True
                self._asking.append(task)
                return
            self._receive(task, wanted, moment)

    def _wanted(self, task: RunningTask, moment: float) -> int:
        if not self._task.prefetches:
            free = self._task.concurrency - len(task.working)
            return free if free < BATCH else BATCH
        return ask_for(
            task.held,
            concurrency=self._task.concurrency,
            prefetches=True,
            work_seconds=self._work[int(moment)],
            per_second=task.per_second,
            visibility=self._queue.visibility_timeout,
        )

    def _receive(self, task: RunningTask, wanted: int, moment: float) -> None:
        line, receives, received = self._line, self._receives, self._received
        retention = self._queue.retention
        room = self._queue.most_in_flight - self._held - self._hidden
        left = wanted if wanted < room else room
        taken = 0
        while taken < left and line.ready:
            message = line.take()
            if moment - self._sent[message] > retention:
                self._expired += 1
                self._end(message)
                continue
            taken += 1
            receives[message] += 1
            received[message] = moment
            task.fetched.append(message)
        self._received_now += taken
        self._held += taken
        self._begin(task, moment)

    def _begin(self, task: RunningTask, moment: float) -> None:
        fetched, working = task.fetched, task.working
        free = self._task.concurrency - len(working)
        if not fetched or free <= 0:
            return
        second, drain = int(moment), self._task.drain if self._task.protected else math.inf
        outage, mean = self._outage[second], self._work[second]
        begun = 0
        while fetched and begun < free and not task.resting:
            message = fetched.popleft()
            working[message] = moment
            self._attempts[message] += 1
            begun += 1
            work = mean * self._draw()
            kind: Kind = "failed" if outage or self._poison[message] else "done"
            heappush(self._events, (moment + work, next(self._numbers), kind, message, task))
            if task.outlasting >= OFTEN:
                self._protect(task, message, moment)
            elif work >= drain:
                self._schedule(moment + drain, "old", message, task)
        self._busy += begun
        self._begun_sum += begun * moment

    def _finish(self, message: int, task: RunningTask, moment: float, *, failed: bool) -> None:
        work = self._end_work(message, task, moment)
        self._work_now += work
        self._handled_now += 1
        task.handled += 1
        if failed:
            self._fail(message, moment)
        else:
            self._held -= 1
            self._deleted_now += 1
            age = moment - self._sent[message]
            self._ages.append(age)
            if self._receives[message] > 1:
                self._retried = max(self._retried, age)
            self._end(message)
        if task.fetched:
            self._begin(task, moment)
        self._ask(task, moment)
        if self._asking and self._available:
            self._hand_out(moment)
        if (self._surplus or task.outdated) and not task.old:
            self._stop_if_due(task, moment)

    def _fail(self, message: int, moment: float) -> None:
        """The runtime gives the message up or chooses its pause; what is not ours leaves both to SQS."""
        if not self._retrying.backs_off:
            self._hide(message, until=max(self._received[message] + self._queue.visibility_timeout, moment))
            return
        attempts = self._attempts[message]
        most = self._task.max_attempts
        if most is not None and (attempts >= most or self._is_last(message)):
            self._held -= 1
            self._bury(message)
            return
        longest = longest_pause(attempts)
        self._hide(message, until=moment + math.ceil(self._jitter.uniform(longest / 2, longest)))

    def _is_last(self, message: int) -> bool:
        """Whether SQS delivers it no more."""
        most = self._queue.max_receive_count
        return most is not None and self._receives[message] >= most

    def _bury(self, message: int) -> None:
        self._dead += 1
        self._poisoned += self._poison[message]
        self._end(message)

    def _end_work(self, message: int, task: RunningTask, moment: float) -> float:
        begun = task.working.pop(message)
        task.old.discard(message)
        if self._task.protected:
            task.outlasting += ((moment - begun >= self._task.drain) - task.outlasting) * NEWEST
        if not task.working and task.resting:
            task.resting, task.outlasting = False, 0.0
        self._busy -= 1
        self._begun_sum -= begun
        self._worked += moment - begun
        return moment - begun

    def _end(self, message: int) -> None:
        """Done, expired or a dead letter."""
        self._gone[message] = True
        self._line.finish(message)

    def _expire(self, end: int) -> None:
        """Messages at the front that nobody received in time; what came back lies behind them and goes in its turn."""
        line = self._line
        while line.ready and end - self._sent[line.next()] > self._queue.retention:
            self._expired += 1
            self._end(line.take())

    def _hide(self, message: int, *, until: float) -> None:
        """Out of sight, in nobody's hands."""
        self._held -= 1
        self._hidden += 1
        self._schedule(until, "back", message, None)

    def _come_back(self, message: int, moment: float) -> None:
        self._hidden -= 1
        if self._is_last(message):
            self._bury(message)
        elif moment - self._sent[message] > self._queue.retention:
            self._expired += 1
            self._end(message)
        else:
            self._line.come_back(message)
        if self._asking:
            self._hand_out(moment)

    # Tasks

    def _start(self, moment: float) -> None:
        start = self._fleet.next_start()
        self._ran -= moment
        task = RunningTask(started=start.launched)
        self._tasks.append(task)
        self._ask(task, moment)
        if start.replaces:
            self._replaced += 1
            for old in [old for old in self._tasks if old.outdated]:
                if not old.old:
                    self._stop_if_due(old, moment)

    def _protect(self, task: RunningTask, message: int, moment: float) -> None:
        """A handler has run for longer than the drain, or is expected to, and the runtime asks for protection."""
        if task.stopping:
            return
        if not task.old:
            protected = sum(bool(other.old) for other in self._tasks)
            if self._replaced and protected + 1 > self._control.desired:
                # ECS refuses while a deployment waits for as many protected tasks.
                self._rest(task, moment)
                self._stop_if_due(task, moment)
                return
            task.protected_since = moment
        elif moment - task.protected_since >= LONGEST_STRETCH:
            self._rest(task, moment)
        task.old.add(message)

    def _rest(self, task: RunningTask, moment: float) -> None:
        """What has not begun is better off elsewhere."""
        task.resting = True
        self._hand_back(task, moment)

    def _hand_back(self, task: RunningTask, moment: float) -> None:
        for message in task.fetched:
            self._hide(message, until=moment)
        task.fetched.clear()

    def _stop_if_due(self, task: RunningTask, moment: float) -> None:
        """Stops a task that nothing protects, if one like it has to stop."""
        if task.stopping:
            return
        if task.outdated and self._replaced:
            self._replaced -= 1
            self._stop(task, moment)
        elif self._surplus:
            self._surplus -= 1
            self._stop(task, moment)

    def _stop(self, task: RunningTask, moment: float) -> None:
        """SIGTERM: the task receives no more, hands back what it has not begun, and has the stop timeout to finish."""
        task.stopping = True
        self._tasks.remove(task)
        self._fleet.stop(1, moment)
        self._ran += moment
        self._hand_back(task, moment)
        if task.working:
            self._schedule(moment + self._task.stop_timeout, "kill", -1, task)

    def _kill(self, task: RunningTask, moment: float) -> None:
        """SIGKILL: what was at work comes back when its visibility timeout ends, which the runtime keeps renewing."""
        task.killed = True
        self._killed += len(task.working)
        timeout = self._queue.visibility_timeout
        for message in list(task.working):
            self._end_work(message, task, moment)
            renewed = moment if self._task.prefetches else self._received[message]
            self._hide(message, until=max(renewed + timeout, moment))

    # Minutes

    def _minute(self, begin: int, end: int) -> None:
        fleet, minutes, seconds = self._fleet, self._minutes, end - begin
        self._expire(end)
        on_demand = self._task.spot_from
        if on_demand is not None:
            for _ in range(fleet.interrupted(spot_from=on_demand)):
                self._stop(self._tasks[self._random.integers(on_demand, len(self._tasks))], float(end))
        worked = self._worked + self._busy * end - self._begun_sum
        ran = fleet.running * end + self._ran
        slot_seconds = (ran - self._ran_before) * self._task.concurrency
        busy = (worked - self._worked_before) / slot_seconds if slot_seconds else 0.0
        self._worked_before, self._ran_before = worked, ran
        seen = Observation(
            visible=len(self._line),
            in_flight=self._held + self._hidden,
            oldest_age=self._reported_age(end),
            sent=self._next - self._sent_before,
            received=self._received_now,
            deleted=self._deleted_now,
            running=fleet.running,
            pending=fleet.pending,
            desired=self._control.desired,
            cpu=min(100.0, 100 * busy),
            work_seconds=self._work_now,
            handled=self._handled_now,
            groups=self._line.groups_in_flight,
        )
        self._sent_before = self._next
        self._received_now = self._deleted_now = self._handled_now = 0
        self._work_now = 0.0
        for task in self._tasks:
            task.per_second, task.handled = task.handled / seconds, 0
        # A deployment lasts until the last of its old tasks has stopped, and those come on top of what is wanted.
        deploying = fleet.deploying or self._replaced > 0
        desired = self._control.minute(seen, deploying=deploying)
        self._surplus = fleet.want(desired + self._replaced, float(end))
        if self._surplus:
            self._scale_in(float(end))
        minutes.desired.append(desired)
        minutes.running.append(fleet.running)
        minutes.visible.append(seen.visible)
        minutes.in_flight.append(seen.in_flight)
        minutes.retried_age.append(self._retried)
        self._retried = 0.0
        oldest = self._line.oldest()
        minutes.oldest_age.append(0.0 if oldest is None else end - self._sent[oldest])

    def _reported_age(self, end: int) -> float:
        """The age of the oldest message that is not done, in whole seconds.

        A standard queue leaves out those that were received three times, a FIFO queue does not reorder them:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        most = math.inf if self._queue.fifo else 3
        while self._oldest < self._next and (self._gone[self._oldest] or self._receives[self._oldest] >= most):
            self._oldest += 1
        return math.floor(end - self._sent[self._oldest]) if self._oldest < self._next else 0.0

    def _scale_in(self, moment: float) -> None:
        """Stops what may be stopped; the rest goes as it falls idle."""
        started = [task.started for task in self._tasks]
        protected = [bool(task.old) for task in self._tasks]
        chosen = [self._tasks[index] for index in stop_order(started, protected, count=self._surplus)]
        for task in chosen:
            self._surplus -= 1
            self._stop(task, moment)

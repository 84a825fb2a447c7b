"""A sweep: one message's way from the queue to its end, taken once undisturbed, to learn its steps, and then once for
each of them, with a signal at that step. All are taken at the same time, each on a queue of its own.

The steps are those that the worker of today takes: one that it takes tomorrow is swept tomorrow.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Self

from moto.sqs.models import Message

from tests.faults.program import CLAIM_REQUESTS, drain_for_a_second
from tests.faults.rig import ABSENT, Process, Rig, Server, Store, until

#: Seconds. Longer than a run takes on any machine: a message is back because the test lets time pass. A stop waits
#: longer than the two thirds of it after which a heartbeat is due.
VISIBILITY = 90

#: Runs under way at the same time. None waits for a lease, so more would only be slower, each of them.
_WIDTH = 8


@dataclass(frozen=True, kw_only=True)
class Way:
    """One message, and what becomes of it.

    Attributes:
        does: What its handler does (program.py); None: the message is poison.
        prepare: Called first in the process that takes it.
        requests: Those that it takes beside the claims'; the sweep must have met them.
    """

    does: str | None
    requests: Sequence[str]
    prepare: Callable[[], None] | None = None


WAYS = {
    "handled": Way(does="work", requests=["DeleteMessageBatch"]),
    "handled for long": Way(does="late beat", requests=["ChangeMessageVisibilityBatch", "DeleteMessageBatch"]),
    "failed once": Way(does="fail", requests=["ChangeMessageVisibilityBatch", "DeleteMessageBatch"]),
    "poison": Way(does=None, requests=["SendMessageBatch", "DeleteMessageBatch"]),
    # Its handler gets SIGTERM and does not end; a second later the message is handed back.
    "given up": Way(does="stop", requests=["ChangeMessageVisibilityBatch"], prepare=drain_for_a_second),
    "transacted": Way(does="transact", requests=["TransactWriteItems", "DeleteMessageBatch"]),
}

#: A way's name, and a store of claims.
Case = tuple[str, Store]

_steps: dict[Case, list[str]] = {}


@dataclass(kw_only=True, repr=False)
class Run:
    """One way taken by the process `first`, which a signal met at `step`, and then by others.

    Attributes:
        delivered: How often the message had been delivered when it came.
        exit_code: The first process's.
        ended_at: When that had certainly ended, and `back_at` was known.
        back_at: When the queue would then show the message again; None if it was gone.
    """

    case: Case
    step: str
    rig: Rig
    message: Message
    first: Process
    delivered: int = 0
    exit_code: int | None = None
    ended_at: float = 0.0
    back_at: float | None = None

    def __repr__(self) -> str:
        return f"{self.case} met by the signal at {self.step!r}"

    @property
    def met(self) -> bool:
        """The signal was sent. A heartbeat may be there in one run and not in the next."""
        return self.first.signalled_at() is not None

    @property
    def certain(self) -> bool:
        """No other request was under way when the signal came, of which nobody can say whether it arrived."""
        steps = {step for step in self.first.steps() if not step.startswith("ReceiveMessage")}
        sent = {step.removesuffix(" sent") for step in steps - {self.step} if step.endswith(" sent")}
        return all(f"{request} answered" in steps for request in sent)

    @property
    def effect_made(self) -> bool:
        """The first process made the effect."""
        return "effect 1 made" in self.first.steps() or self.transacted

    @property
    def transacted(self) -> bool:
        """It was told that effect and record are there: one transaction was not refused."""
        steps = [step.split() for step in self.first.steps()]
        moments = [step[2] for step in steps if step[0] == "TransactWriteItems"]
        return moments.count("answered") > moments.count("refused")

    @property
    def recorded(self) -> bool:
        """It was told that the effect is on record: in the claims, or without them, by the queue."""
        steps = self.first.steps()
        if self.transacted:
            return True
        record = "DeleteMessageBatch" if self.case[1] == "none" else CLAIM_REQUESTS
        after = steps[steps.index("effect 1 made") :] if self.effect_made else []
        return any(step.startswith(record) and step.endswith("answered") for step in after)

    @property
    def deliveries(self) -> int:
        return self.message.approximate_receive_count

    def wait_for_the_end(self) -> None:
        """Of the first process."""
        self.exit_code = self.first.ended()
        self.back_at = None if self.rig.empty else self.message.visible_at / 1000
        self.ended_at = time.time()

    def go_on(self) -> None:
        """Let another process do what is left, as soon as the queue shows it, while the first is away."""
        if self.rig.empty:
            return
        away, before = self.rig.environment["AWS_ACCESS_KEY_ID"], self.deliveries
        ABSENT.add(away)
        # A lease's time more, because the claim may have been renewed later than the lease.
        self.rig.pass_time(max(0.0, self.message.visible_at / 1000 - time.time()) + VISIBILITY)
        self.rig.start("second", RECEIVE_WAIT_SECONDS="20", AWS_ACCESS_KEY_ID=_access_key("second"))

        def ended() -> bool:
            if not self.message.visible and self.deliveries == before:
                self.message.visible_at = 0  # a heartbeat of the first has arrived only now
            return self.rig.empty

        until(ended)
        ABSENT.discard(away)


class Sweep:
    """Takes the `cases` with a signal at each step; `then` says how a run goes on after the signal."""

    def __init__(
        self, server: Server, folder: Path, cases: Sequence[Case], *, sends: Signals, then: Callable[[Run], None]
    ) -> None:
        self._server = server
        self._folder = folder
        self._cases = cases
        self._sends = sends
        self._then = then
        self._numbers = count()
        self._rigs: list[Rig] = []
        self._learners = ThreadPoolExecutor(_WIDTH)
        self._runners = ThreadPoolExecutor(_WIDTH)
        self._learned: dict[Case, Future[list[Future[Run]]]] = {}

    def __enter__(self) -> Self:
        for case in self._cases:
            self._learned[case] = self._learners.submit(self._learn, case)
        return self

    def __exit__(self, *_: object) -> None:
        self._learners.shutdown(cancel_futures=True)
        self._runners.shutdown(cancel_futures=True)
        for rig in self._rigs:
            rig.close()

    def runs(self, case: Case) -> list[Run]:
        """The runs of one case, all of them over."""
        runs = [run for future in self._learned[case].result() if (run := future.result()).met]
        claims = {"dynamodb": {"UpdateItem"}, "redis": {"EVALSHA"}, "none": set[str]()}[case[1]]
        expected = {"ReceiveMessage", *WAYS[case[0]].requests, *(claims if WAYS[case[0]].does else ())}
        met = {tuple(run.step.split()[::2]) for run in runs}
        assert met >= {(request, moment) for request in expected for moment in ("sent", "answered")}
        return runs

    def _learn(self, case: Case) -> list[Future[Run]]:
        """Learn the steps, unless a sweep before this one has, and start a run for each."""
        if case not in _steps:
            rig, _, process = self._begin(case)
            until(lambda: rig.empty or process.exit_code is not None)
            process.stop()
            rig.close()
            # The first poll brings the message; where among the other steps the next ones fall is chance.
            _steps[case] = [step for step in process.steps() if not step.startswith("ReceiveMessage") or " 1 " in step]
        return [self._runners.submit(self._run, case, step) for step in _steps[case]]

    def _run(self, case: Case, step: str) -> Run:
        rig, message, process = self._begin(case, at=step, sends=self._sends)
        run = Run(case=case, step=step, rig=rig, message=message, first=process)
        until(lambda: run.met or rig.empty or process.exit_code is not None)
        if not run.met:
            process.send(SIGTERM)  # the last steps may come after the message's end
            until(lambda: run.met or process.exit_code is not None)
        if run.met:
            run.delivered = run.deliveries
            self._then(run)
        rig.close()
        return run

    def _begin(self, case: Case, **changes: object) -> tuple[Rig, Message, Process]:
        way, claims = WAYS[case[0]], case[1]
        rig = Rig(self._server, self._folder / str(next(self._numbers)), claims=claims)
        rig.environment |= {"VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY), "AWS_ACCESS_KEY_ID": _access_key(rig.name)}
        self._rigs.append(rig)
        message = rig.send(does=way.does) if way.does else rig.send(text="{")
        return rig, message, rig.start("first", prepare=way.prepare, **changes)


def _access_key(name: str) -> str:
    """Of the form that AWS's have, which the server looks for."""
    return name.upper()[:20].ljust(20, "0")

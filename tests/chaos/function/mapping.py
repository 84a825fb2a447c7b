"""Lambda's event source mapping: pollers side by side, execution environments, and what happens to them by chance."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_workers_runtime.brokers import Broker
from fargate_workers_runtime.brokers.broker import Delivery
from tests.chaos.function.environment import live
from tests.chaos.history import History
from tests.chaos.worker import Life
from tests.doubles.event_source import event_of
from tests.forking import fork, send_signal

BATCH = 10

#: Of a thousand invocations, how many are hurt.
CHANCES = {"kill": 15, "time-out": 6}

#: A second during which an invocation may be hurt, and how long a poll of an empty queue lasts.
_AMID, _PAUSE = 0.15, 0.1


@dataclass(eq=False)
class _Environment:
    number: int
    process: Any
    invocations: Any

    def send(self, signum: signal.Signals) -> None:
        send_signal(self.process, signum)


class EventSourceMapping:
    """Pollers that receive, invoke, and delete what did not fail; what an invocation leaves unanswered stays hidden.

    Args:
        queue: Opens the queue, once for each poller.
        arn: The ARN of the queue.
        faults: "kill", SIGKILL amid an invocation, and "time-out": it stands still until Lambda ends it.
        timeout: Seconds that an invocation may take.
        visibility: Seconds that its messages are hidden.
        least: How many invocations of each fault are hurt at least, the first ones.
    """

    def __init__(
        self,
        queue: Any,
        *,
        arn: str,
        folder: Path,
        environment: Mapping[str, str],
        faults: Collection[str],
        pollers: int,
        timeout: float,
        visibility: int,
        seed: int,
        least: int = 1,
        **life: Any,
    ) -> None:
        self._arn = arn
        self._folder = folder
        self._environment = environment
        self._timeout = timeout
        self._visibility = visibility
        self._chosen = random.Random(seed)
        self._life = {"seed": seed, **life}
        self._history = History(folder / "history")
        self._lock = threading.Lock()
        self._idle: list[_Environment] = []
        self._all: list[_Environment] = []
        self._stopping = threading.Event()
        self._due = [fault for fault in CHANCES if fault in faults for _ in range(least)]
        self._faults = [fault for fault in CHANCES if fault in faults]
        self.counts: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._poll, args=(queue(),), daemon=True) for _ in range(pollers)]
        for each in self._threads:
            each.start()

    def close(self) -> None:
        """Stop polling, let what is under way end, and leave no process behind."""
        self._stopping.set()
        for each in self._threads:
            each.join()
        for each in self._all:
            each.process.kill()
            each.process.join()
        self._history.close()

    def _poll(self, queue: Broker) -> None:
        while not self._stopping.is_set():
            deliveries = queue.receive(BATCH, wait=0, lease=self._visibility)
            if not deliveries:
                self._stopping.wait(_PAUSE)
                continue
            failed = self._invoke(deliveries)
            if ended := [each for each in deliveries if failed is not None and each.id not in failed]:
                queue.acknowledge(ended)

    def _invoke(self, deliveries: Sequence[Delivery]) -> set[str] | None:
        """The ids that an invocation reports; None if it gave no answer."""
        environment, fault, after = self._begin()
        until = time.monotonic() + self._timeout
        try:
            environment.invocations.send((event_of(deliveries, arn=self._arn), self._timeout))
            if fault and not environment.invocations.poll(after):
                environment.send(signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
                self.counts[fault] += 1
            if environment.invocations.poll(max(0.0, until - time.monotonic())):
                answer = environment.invocations.recv()
                with self._lock:
                    self._idle.append(environment)
                return {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        except (EOFError, OSError):
            pass
        self._end(environment)
        return None

    def _begin(self) -> tuple[_Environment, str | None, float]:
        with self._lock:
            self.counts["invocations"] += 1
            number = self.counts["invocations"]
            fault, after = None, self._chosen.uniform(0, _AMID)
            if number > 1 and self._due:
                fault = self._due.pop()
            elif chosen := [each for each in self._faults if self._chosen.random() * 1000 < CHANCES[each]]:
                fault = chosen[0]
            environment = self._idle.pop() if self._idle else self._start()
        return environment, fault, after

    def _start(self) -> _Environment:
        number = self.counts["environments"] = self.counts["environments"] + 1
        ours, theirs = fork.Pipe()
        variables = {**self._environment, "AWS_ACCESS_KEY_ID": f"worker-{number}"}
        life = Life(folder=self._folder, process=number, environment=variables, **self._life)
        process = fork.Process(target=live, args=(life, theirs), daemon=True)
        process.start()
        theirs.close()
        made = _Environment(number, process, ours)
        self._all.append(made)
        return made

    def _end(self, environment: _Environment) -> None:
        environment.send(signal.SIGKILL)
        environment.process.join()
        self._history.add("killed", environment.number)
        self.counts["ended"] += 1

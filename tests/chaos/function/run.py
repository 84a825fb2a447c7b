"""The chaos run of a function: pollers and execution environments on one queue, hurt until everything has ended."""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from fargate_workers_runtime.brokers import Broker
from fargate_workers_runtime.brokers.sqs import SqsBroker
from tests.chaos.function.mapping import EventSourceMapping
from tests.chaos.function.verdict import Seen, Verdict, judge
from tests.chaos.history import history
from tests.chaos.orders import Order, orders, sending
from tests.chaos.stand import ChaosStand
from tests.chaos.weather import KINDS

#: What a run may do, and what it means.
FAULTS: Mapping[str, str] = {
    "kill": "SIGKILL amid an invocation, and around effects",
    "time-out": "an invocation that stands still until its time is over, and is ended",
    "claims": "outages of the store of claims",
    "poison": "messages that can never succeed",
    "flaky": "messages whose handler fails a few times",
    "twice": "messages that are sent once more",
    "redelivery": "messages that SQS delivers again after they were deleted",
}

#: How much of the work waits while an outage is to come, and seconds between two looks at the queue.
_AHEAD, _LOOK = 0.15, 0.2

#: Of a thousand deletes, how many SQS forgets.
_REDELIVERIES = 20


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is made of. Durations are in seconds.

    Attributes:
        fifo: Whether the queue is FIFO.
        pollers: Invocations side by side.
        timeout: Of an invocation; `visibility`: of its messages, a little longer; `max_processing`: of a handler.
        limit: After so long the run ends, whatever is left.
    """

    messages: int
    fifo: bool = False
    faults: Collection[str] = frozenset(FAULTS)
    seed: int = 0
    pollers: int = 4
    concurrency: int = 10
    pace: float = 0.05
    timeout: int = 9
    visibility: int = 10
    max_processing: int = 4
    max_attempts: int = 8
    limit: float = 1800


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run showed."""

    scene: Scene
    verdict: Verdict
    facts: Mapping[str, Any]


def run(scene: Scene, *, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> Result:
    """Send orders, invoke the function and hurt it until none is left, and judge.

    Args:
        folder: For the history and the logs.
        tell: Called with a line on how far the work is.
    """
    again = {"again": _REDELIVERIES} if "redelivery" in scene.faults and not scene.fifo else {}
    with ChaosStand(fifo=scene.fifo, visibility=scene.visibility, max_receives=1000, seed=scene.seed, **again) as stand:
        return _Run(scene, folder, tell, stand).result()


class _Run:
    def __init__(self, scene: Scene, folder: Path, tell: Callable[[str], None], stand: ChaosStand) -> None:
        self._scene = scene
        self._folder = folder
        self._tell = tell
        self._stand = stand
        self._chosen = random.Random(scene.seed)
        self._began = time.monotonic()
        self._messages: dict[str, str] = {}
        self._outages: list[tuple[float, float]] = []
        self._left = -1

    def result(self) -> Result:
        scene = self._scene
        made = orders(
            scene.messages,
            fifo=scene.fifo,
            faults={*scene.faults} & {"poison", "flaky", "twice"},
            transact=False,
            most_failures=2,
            chosen=self._chosen,
        )
        self._unsent = sending(made, chosen=self._chosen)
        self._total = len(self._unsent)
        mapping = self._map()
        try:
            self._work_off()
        finally:
            mapping.close()
        return self._judge(made, mapping)

    def _map(self) -> EventSourceMapping:
        scene, stand = self._scene, self._stand
        environment = {
            **stand.client,
            "WORKER_NAME": "chaos",
            "QUEUE_URL": stand.url,
            "DEAD_LETTER_QUEUE_URL": stand.letters_url,
            "CLAIM_STORE": "dynamodb",
            "CLAIMS_TABLE_NAME": "chaos",
            "VISIBILITY_TIMEOUT_SECONDS": str(scene.visibility),
            "MAX_PROCESSING_SECONDS": str(scene.max_processing),
            "MAX_ATTEMPTS": str(scene.max_attempts),
            "CONCURRENCY": str(scene.concurrency),
            "LOG_LEVEL": "INFO",
        }

        def queue() -> Broker:
            client = boto3.Session().client(
                "sqs",
                endpoint_url=stand.client["AWS_ENDPOINT_URL_SQS"],
                region_name="eu-west-1",
                aws_access_key_id="mapping",
                aws_secret_access_key="testing",
            )
            return SqsBroker(client, stand.url)

        return EventSourceMapping(
            queue,
            arn=f"arn:aws:sqs:eu-west-1:123456789012:{stand.url.rsplit('/', 1)[-1]}",
            folder=self._folder,
            environment=environment,
            faults=scene.faults,
            pollers=scene.pollers,
            timeout=scene.timeout,
            visibility=scene.visibility,
            seed=scene.seed,
            pace=scene.pace,
            slow=0.0,
            suicides=1 if "kill" in scene.faults else 0,
        )

    def _send(self, share: float) -> None:
        """Send on until this share of all messages is sent."""
        many = len(self._unsent) - round(self._total * (1 - share))
        portion, self._unsent = self._unsent[:many], self._unsent[many:]
        for start in range(0, len(portion), 1000):
            some = portion[start : start + 1000]
            ids = self._stand.send([message for _, message in some])
            self._messages.update(zip(ids, (order.key for order, _ in some), strict=True))

    def _work_off(self) -> None:
        many = max(1, round(self._scene.messages / 2000)) if "claims" in self._scene.faults else 0
        plan = sorted(self._chosen.uniform(0.1, 0.8) for _ in range(many))
        self._send(plan[0] + _AHEAD if plan else 1)
        told_at = 0.0
        while self._left or plan:
            now = time.monotonic()
            if now - self._began > self._scene.limit:
                self._tell("out of time; the rest is left")
                break
            counts = self._stand.counts()
            self._left = counts["visible"] + counts["hidden"] + len(self._unsent)
            done = 1 - self._left / self._total
            if plan and plan[0] <= done:
                plan.pop(0)
                self._begin_outage()
                self._send(min(1, plan[0] + _AHEAD) if plan else 1)
            if now - told_at > 5:
                told_at = now
                self._tell(f"{done:6.1%} done, {len(plan)} outages to come, {now - self._began:.0f} s")
            time.sleep(_LOOK)

    def _begin_outage(self) -> None:
        seconds = round(self._chosen.uniform(1, 3), 2)
        begins = time.monotonic()
        self._stand.begin_outage(service="DynamoDB", kind=self._chosen.choice(KINDS), seconds=seconds, operations=[])
        self._outages.append((begins, begins + seconds))

    def _judge(self, made: list[Order], mapping: EventSourceMapping) -> Result:
        letters = self._stand.stories()["letters"]
        verdict = judge(
            Seen(
                orders={order.key: order for order in made},
                messages=self._messages,
                events=list(history(self._folder / "history")),
                letters=[(each["original"], str(each["reason"])) for each in letters],
                outages=self._outages,
                noticed=_noticed(self._folder),
                left=self._left,
                reach=self._scene.visibility,
            )
        )
        facts = {
            **verdict.facts,
            "outages of the claims": len(self._outages),
            "invocations": mapping.counts["invocations"],
            "of them killed": mapping.counts["kill"],
            "of them timed out": mapping.counts["time-out"],
            "environments": mapping.counts["environments"],
            "of them ended": mapping.counts["ended"],
            "seconds": round(time.monotonic() - self._began),
        }
        return Result(scene=self._scene, verdict=verdict, facts=facts)


def _noticed(folder: Path) -> set[tuple[int, str]]:
    """Environments and messages of which a line says that a lease or a claim was lost, or an effect not recorded."""
    found: set[tuple[int, str]] = set()
    for log in folder.glob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if any(event in line for event in ('"fenced"', '"lease_lost"', '"effect_not_recorded"')):
                found.add((int(log.stem), json.loads(line).get("message_id", "")))
    return found

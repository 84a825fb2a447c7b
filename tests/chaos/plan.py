"""When what goes wrong: chosen by a seed, told by the progress of the work, so that a slow machine is hurt as often."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.weather import KINDS

#: What can be asked for. The first are attacks; then what is done to requests at any time; then kinds of messages.
FAULTS: dict[str, str] = {
    "kill": "SIGKILL at any moment, and around an effect and its record",
    "sigterm": "waves of SIGTERM, some while SQS does not answer",
    "freeze": "SIGSTOP for longer than the visibility timeout",
    "outage": "SQS does not answer: 503, refused, hanging, answers lost, throttled; the longest for 30 s",
    "operations": "one operation of SQS does not answer: deletes, visibility, letters, receives",
    "claims": "the store of claims does not answer: its writes, or all",
    "downstream": "whatever handlers call does not answer",
    "lost": "answers that get lost at any time",
    "throttle": "requests that are throttled at any time",
    "partial": "entries of batches that fail at any time",
    "redelivery": "messages that SQS delivers once more after they are deleted (standard)",
    "twice": "a producer that sends an order twice",
    "poison": "messages that can never succeed",
    "flaky": "messages that fail some times and then succeed",
    "doomed": "messages that fail until they are redriven",
    "slow": "handlers that outlast the visibility timeout",
    "overrun": "handlers that outlast their limit at first, and are cancelled (coroutines)",
    "deaf": "handlers that outlast their limit at first, and end only with their process (coroutines)",
    "block": "handlers that block the event loop for a while (coroutines)",
    "killer": "messages that end their process, beside healthy neighbours",
}

_OPERATIONS = ("DeleteMessage", "ChangeMessageVisibility", "SendMessage", "ReceiveMessage")
_WRITES = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem", "BatchExecuteStatement")


@dataclass(frozen=True)
class Step:
    """One thing to do, so many seconds after its attack has begun."""

    after: float
    what: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Attack:
    """What begins when so much of the work is done, from 0 to 1."""

    at: float
    steps: Sequence[Step]


def attacks(
    faults: Collection[str],
    *,
    messages: int,
    processes: int,
    visibility: int,
    longest: float,
    store: str,
    seed: int,
    intensity: float = 1,
) -> list[Attack]:
    """The attacks of a run, in their order.

    Args:
        longest: Seconds of the longest outage of SQS. The others last a quarter of the visibility timeout at most, as
            30 s are of the usual 120 s: the leases outlive them.
        intensity: How many times as many attacks as usual.
        store: The service that keeps the claims; `none`: nobody's.
    """
    chosen = random.Random(seed)
    short = visibility / 4

    def outage(service: str, seconds: float, operations: Sequence[str] = (), *, after: float = 0) -> Step:
        kind = chosen.choice(KINDS)
        what = {"service": service, "kind": kind, "seconds": round(seconds, 2), "operations": list(operations)}
        return Step(after, "outage", what)

    def any_process() -> int:
        return chosen.randrange(processes)

    def storm(after: float = 0) -> list[Step]:
        waves = chosen.randint(1, 3)
        return [
            Step(after + wave * chosen.uniform(0.3, 2) + chosen.uniform(0, 0.5), "stop", {"process": number})
            for wave in range(waves)
            for number in range(processes)
        ]

    def many(per_thousand: float, least: int = 1) -> range:
        return range(max(least, round(messages * intensity * per_thousand / 1000)))

    made: list[list[Step]] = []
    if "kill" in faults:
        made += [[Step(0, "kill", {"process": any_process()})] for _ in many(2, 2)]
    if "sigterm" in faults:
        made += [storm() for _ in many(0.4, 2)]
    if "freeze" in faults:
        for _ in many(0.4):
            seconds = visibility * chosen.uniform(1.1, 1.6)
            made.append([Step(0, "freeze", {"process": any_process(), "seconds": round(seconds, 2)})])
    if "outage" in faults:
        made += [[outage("SQS", chosen.uniform(short / 4, short))] for _ in many(0.4)]
        made.append([outage("SQS", longest)])
    if "outage" in faults and "sigterm" in faults:
        made += [[outage("SQS", short), *storm(after=chosen.uniform(0, short / 2))] for _ in many(0.15)]
    if "operations" in faults:
        for operation in _OPERATIONS:
            made += [[outage("SQS", chosen.uniform(short / 2, short), [operation])] for _ in many(0.1)]
    if "claims" in faults and store != "none":
        for operations in (_WRITES, ()):
            made += [[outage(store, chosen.uniform(1, short * 2), operations)] for _ in many(0.15)]
    if "claims" in faults and "sigterm" in faults and store != "none":
        made += [[outage(store, short, _WRITES), *storm(after=chosen.uniform(0, short / 2))] for _ in many(0.1)]
    if "downstream" in faults:
        made += [[Step(0, "downstream", {"seconds": round(chosen.uniform(1, 3), 2)})] for _ in many(0.15)]
    chosen.shuffle(made)
    # Nothing at the very beginning, when nothing is at work, nor at the end, when there is nothing left to hurt.
    places = sorted(chosen.uniform(0.03, 0.9) for _ in made)
    return [Attack(at, steps) for at, steps in zip(places, made, strict=True)]

"""Judges a run of a function: nothing is lost, poison alone is dead, and no effect is repeated without a reason."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.history import Event
from tests.chaos.orders import POISON, Order

MEANINGS: Mapping[str, str] = {
    "lost": "its effect never happened",
    "unwanted": "an effect of poison",
    "poison not dead-lettered": "a message of poison without a dead letter",
    "healthy dead-lettered": "a dead letter of what could succeed",
    "reason untrue": "a dead letter with another reason",
    "repeated": "its effect happened again, and nothing excuses that",
    "out of order": "the first effect of an order came after that of one behind it in its group",
    "left": "still in the queue",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of a run.

    Attributes:
        orders: What was sent, by key.
        messages: The key of each message, by its id, in the sequence in which they were sent.
        events: What the environments did, and which of them were killed.
        letters: The id of the message of each dead letter, and its reason.
        outages: When the store of claims did not answer.
        noticed: Environments and messages of which an environment has logged that its claim or its lease was lost.
        left: How many messages are in the queue.
        reach: Seconds after an effect by which it is recorded, or its invocation has ended.
    """

    orders: Mapping[str, Order]
    messages: Mapping[str, str]
    events: Sequence[Event]
    letters: Sequence[tuple[str, str]]
    outages: Sequence[tuple[float, float]] = ()
    noticed: Collection[tuple[int, str]] = field(default_factory=frozenset[tuple[int, str]])
    left: int = 0
    reach: float = 10.0


@dataclass(frozen=True)
class Verdict:
    """What went wrong, each with its subject, and counts for the reader."""

    findings: Sequence[tuple[str, str]]
    facts: Mapping[str, int]

    @property
    def good(self) -> bool:
        return not self.findings


def judge(seen: Seen) -> Verdict:
    """What went wrong."""
    effects: defaultdict[str, list[Event]] = defaultdict(list)
    for event in sorted(seen.events, key=lambda each: each.at):
        if event.what == "effect":
            effects[event.key].append(event)
    killed = {event.process: event.at for event in seen.events if event.what == "killed"}
    wanted = {key for key, order in seen.orders.items() if order.wanted}
    poison = {message for message, key in seen.messages.items() if key not in wanted}
    dead = dict(seen.letters)
    repeated = [
        key
        for key, made in effects.items()
        if sum(not _is_excused(each, seen, killed) for each in made) > 1  # one of them may stand for all
    ]
    findings = [("lost", key) for key in sorted(wanted - effects.keys())]
    findings += [("unwanted", key) for key in sorted(effects.keys() - wanted)]
    findings += [("poison not dead-lettered", seen.messages[each]) for each in sorted(poison - dead.keys())]
    findings += [
        ("healthy dead-lettered", f"{seen.messages.get(each, each)}: {dead[each]}")
        for each in sorted(dead.keys() - poison)
    ]
    findings += [
        ("reason untrue", f"{seen.messages[each]}: {dead[each]}")
        for each in sorted(dead.keys() & poison)
        if not dead[each].startswith(POISON[seen.orders[seen.messages[each]].does])
    ]
    findings += [("repeated", key) for key in repeated]
    findings += [("out of order", key) for key in _out_of_order(seen, effects)]
    findings += [("left", str(seen.left))] if seen.left else []
    facts = {
        "messages": len(seen.messages),
        "effects": len(effects),
        "effects again, with a reason": sum(len(made) > 1 for made in effects.values()) - len(repeated),
        "poison": len(poison),
        "dead letters": len(dead),
        "dead letters again": len(seen.letters) - len(dead),
        "failed attempts": sum(event.what == "raised" for event in seen.events),
    }
    return Verdict(findings, facts)


def _is_excused(effect: Event, seen: Seen, killed: Mapping[int, float]) -> bool:
    """Whether its environment was ended, or the store of claims was away, before the effect can have been recorded."""
    until = effect.at + seen.reach
    if (effect.process, effect.message) in seen.noticed:
        return True
    if effect.at <= killed.get(effect.process, float("inf")) <= until:
        return True
    return any(began <= until and ended >= effect.at - seen.reach for began, ended in seen.outages)


def _out_of_order(seen: Seen, effects: Mapping[str, Sequence[Event]]) -> list[str]:
    """Keys whose first effect came after that of a later one of their group."""
    place = {key: number for number, key in reversed(list(enumerate(seen.messages.values())))}
    last: defaultdict[str, int] = defaultdict(lambda: -1)
    found: list[str] = []
    for key in sorted(effects, key=lambda each: effects[each][0].at):
        group = seen.orders[key].group if key in seen.orders else None
        if group is None:
            continue
        if place[key] < last[group]:
            found.append(key)
        last[group] = max(last[group], place[key])
    return found

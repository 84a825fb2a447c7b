"""What a Kafka run must show, judged from what went in, what processes wrote, and what the topics hold at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fargate_workers_runtime.process import EXIT_FAILED
from tests.chaos.history import Event

Fault = Literal[
    "lost",
    "out of order",
    "healthy dead-lettered",
    "poison not dead-lettered",
    "reason untrue",
    "not committed",
    "wrong exit",
]

MEANINGS: Mapping[Fault, str] = {
    "lost": "its effect never happened",
    "out of order": "its effect happened for the first time before that of a record ahead of it under its key",
    "healthy dead-lettered": "it could have succeeded, and is in the dead-letter topic",
    "poison not dead-lettered": "it can never succeed, and is not in the dead-letter topic",
    "reason untrue": "its dead letter gives no reason, or one that is not so",
    "not committed": "the commit of a partition is not at its end",
    "wrong exit": "a process that was asked to stop did not end with 0, or not in time",
}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A record that was sent.

    Attributes:
        key: Its key, whose order holds.
        place: Its place among all that were sent.
        poison: The reason that its dead letter must begin with; None: it shall have an effect.
    """

    key: str
    place: int
    poison: str | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that is known of a run.

    Attributes:
        sent: By the record's id: topic/partition/offset.
        events: What the processes wrote.
        letters: The id and the reason of each dead letter.
        committed, ends: Of each partition.
        exits: Exit codes of the processes that were asked to stop; None: it had to be killed.
    """

    sent: Mapping[str, Sent]
    events: Sequence[Event]
    letters: Sequence[tuple[str, str]]
    committed: Sequence[int]
    ends: Sequence[int]
    exits: Mapping[int, int | None] = field(default_factory=dict[int, int | None])


@dataclass(frozen=True)
class Verdict:
    """What must not happen and did, by the fault, and facts for the reader."""

    findings: Sequence[tuple[Fault, str]]
    facts: Mapping[str, int]

    @property
    def good(self) -> bool:
        return not self.findings

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(fault for fault, _ in self.findings)
        return {fault: found[fault] for fault in MEANINGS}


def judge(seen: Seen) -> Verdict:
    """Compare what was seen with what must be."""
    effects = [event.message for event in seen.events if event.what == "effect"]
    first_effects = list(dict.fromkeys(effects))
    happened = set(first_effects)
    letters = dict(seen.letters)
    findings: list[tuple[Fault, str]] = []
    for record_id, sent in seen.sent.items():
        reason = letters.get(record_id)
        if sent.poison is None:
            findings += [("lost", record_id)] if record_id not in happened else []
            findings += [("healthy dead-lettered", f"{record_id}: {reason}")] if reason is not None else []
        elif reason is None:
            findings.append(("poison not dead-lettered", record_id))
        elif not reason.startswith(sent.poison):
            findings.append(("reason untrue", f"{record_id}: {reason}"))
    findings += [("out of order", each) for each in _out_of_order(seen.sent, first_effects)]
    for number, (committed, end) in enumerate(zip(seen.committed, seen.ends, strict=True)):
        if max(0, committed) != end:
            findings.append(("not committed", f"partition {number}: {committed} of {end}"))
    replaced = {event.process for event in seen.events if event.what == "deaf"}
    for number, code in seen.exits.items():
        if code != 0 and not (code == EXIT_FAILED and number in replaced):
            findings.append(("wrong exit", f"process {number}: {code}"))
    facts = {
        "records": len(seen.sent),
        "effects": len(effects),
        "effects again": len(effects) - len(first_effects),
        "poison": sum(each.poison is not None for each in seen.sent.values()),
        "dead letters": len(letters),
        "dead letters again": len(seen.letters) - len(letters),
        "failed attempts": sum(event.what == "raised" for event in seen.events),
    }
    return Verdict(findings, facts)


def _out_of_order(sent: Mapping[str, Sent], first_effects: Sequence[str]) -> list[str]:
    """Records whose first effect came after that of one behind them."""
    last: defaultdict[str, int] = defaultdict(lambda: -1)
    found: list[str] = []
    for record_id in first_effects:
        record = sent.get(record_id)
        if record is None:
            continue
        if record.place < last[record.key]:
            found.append(record_id)
        last[record.key] = max(last[record.key], record.place)
    return found

"""Judges a run, in the manner of Jepsen's total-queue: what went in must come out, and its effect happen once.

https://jepsen-io.github.io/jepsen/jepsen.checker.html#var-total-queue
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.history import Event

#: What may become of a message, the good ends first.
Outcome = Literal["done", "window", "dead", "queued", "lost", "duplicated", "repeated", "unexplained", "unwanted"]

MEANINGS: Mapping[Outcome, str] = {
    "done": "its effect happened once",
    "window": "its effect happened again, because the process was killed between the effect and the record of it",
    "dead": "no effect, and in the dead-letter queue with a reason",
    "queued": "no effect yet, and still in its queue",
    "lost": "no effect, and nowhere",
    "duplicated": "its effect happened again, and nothing excuses that",
    "repeated": "its handler was called again after its effect had been recorded",
    "unexplained": "in the dead-letter queue without a reason",
    "unwanted": "an effect of a message that was never sent, or was poison",
}

_GOOD: frozenset[Outcome] = frozenset({"done", "window", "dead"})


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that is known of a run, by idempotency key.

    Attributes:
        wanted: The keys of messages that shall have an effect, if only after a redrive.
        poison: The keys of messages that shall never have one.
        events: What the processes and whoever killed them wrote down, in order.
        exact: How often an effect was made that is joined to its record.
        recorded: When a key's effect was recorded for the first time, by the clock of the events.
        letters: The reasons of its dead letters, empty where there was none.
        queued: Keys of messages left in the queue.
    """

    wanted: Collection[str]
    poison: Collection[str]
    events: Sequence[Event]
    exact: Mapping[str, int]
    recorded: Mapping[str, float]
    letters: Mapping[str, Sequence[str]]
    queued: Collection[str]


@dataclass(frozen=True)
class Verdict:
    """What became of each key."""

    outcomes: Mapping[str, Outcome]

    @property
    def counts(self) -> dict[Outcome, int]:
        found = Counter(self.outcomes.values())
        return {outcome: found[outcome] for outcome in MEANINGS}

    @property
    def good(self) -> bool:
        """Nothing is lost, nothing happened twice without an excuse, nothing is left over."""
        return not self.bad

    @property
    def bad(self) -> list[Outcome]:
        """The outcomes that occurred and must not."""
        return [outcome for outcome in MEANINGS if outcome not in _GOOD and self.counts[outcome]]

    def of(self, outcome: Outcome) -> list[str]:
        """The keys that ended so."""
        return sorted(key for key, each in self.outcomes.items() if each == outcome)


def check(observed: Observed) -> Verdict:
    """What became of each key."""
    killed = {event.process for event in observed.events if event.what == "killed"}
    begun = _by_key(observed.events, "begun")
    effects = _by_key(observed.events, "effect")
    said_recorded = {(event.process, event.key) for event in observed.events if event.what == "recorded"}
    keys = {*observed.wanted, *observed.poison, *begun, *effects, *observed.exact, *observed.letters, *observed.queued}

    def outcome(key: str) -> Outcome:
        made = [event.process for event in effects[key]]
        times = len(made) + observed.exact.get(key, 0)
        if times and key not in observed.wanted:
            return "unwanted"
        recorded = observed.recorded.get(key)
        if recorded is not None and any(event.at > recorded for event in begun[key]):
            return "repeated"
        if times > 1:
            # Only the death of a process between effect and record excuses the next attempt, and only for an effect
            # that stands by itself.
            excused = key not in observed.exact and len(set(made)) == len(made)
            died_between = all(process in killed and (process, key) not in said_recorded for process in made[:-1])
            return "window" if excused and died_between else "duplicated"
        if times == 1:
            return "done"
        if key in observed.letters:
            return "dead" if all(observed.letters[key]) else "unexplained"
        return "queued" if key in observed.queued else "lost"

    return Verdict({key: outcome(key) for key in keys})


def table(verdict: Verdict, facts: Iterable[tuple[str, Any]]) -> str:
    """The verdict for people: a line for each outcome that occurred or must not, then `facts`."""
    lines = [f"{count:>8}  {outcome:<12} {MEANINGS[outcome]}" for outcome, count in verdict.counts.items()]
    return "\n".join([*lines, "", *(f"{value:>8}  {name}" for name, value in facts)])


def _by_key(events: Iterable[Event], what: str) -> defaultdict[str, list[Event]]:
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.what == what:
            found[event.key].append(event)
    return found

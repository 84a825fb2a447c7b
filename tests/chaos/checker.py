"""Judges a run from what was seen of it: what the processes wrote, and the stories of the server's messages.

In the manner of Jepsen's total-queue, what went in must come out; and whatever happened again must be explained by
something that did happen. https://jepsen-io.github.io/jepsen/jepsen.checker.html#var-total-queue
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from fargate_workers_runtime.process import EXIT_FAILED
from tests.chaos.history import Event
from tests.chaos.orders import POISON, Order
from tests.chaos.weather import Outage

#: What may become of an order, the good ends first.
Outcome = Literal["done", "window", "unrecorded", "dead", "queued", "lost"]

#: What must not happen.
Fault = Literal[
    "lost",
    "queued",
    "repeated",
    "unwanted",
    "healthy dead-lettered",
    "reason untrue",
    "letter twice",
    "out of order",
    "too many attempts",
    "hidden after a clean stop",
    "wrong exit",
]

MEANINGS: Mapping[Outcome | Fault, str] = {
    "done": "its effect happened once",
    "window": "its effect happened again: its process was killed or frozen between the effect and the record of it",
    "unrecorded": "its effect happened again: the claims did not answer when it was to be recorded",
    "dead": "no effect, and in the dead-letter queue",
    "queued": "no effect yet, and still in its queue",
    "lost": "no effect, and nowhere",
    "repeated": "its handler ran again, and nothing excuses that",
    "unwanted": "an effect of an order that was never sent, or was poison",
    "healthy dead-lettered": "it could have succeeded, and lies in the dead-letter queue",
    "reason untrue": "its dead letter gives no reason, or one that is not so",
    "letter twice": "two dead letters of one message, and nothing excuses that",
    "out of order": "its group went on before it had ended",
    "too many attempts": "its handler failed more often than a message may",
    "hidden after a clean stop": "hidden in the queue by a process that had ended with 0",
    "wrong exit": "a process that was asked to stop did not end with 0, or not in time",
}

#: A thread may stand between its look at the lease and its handler's first line when its process is frozen: one for
#: each freeze, and it goes on at once.
_HOLE_SECONDS = 0.05

#: A failure is recorded with the release of its message, which may be refused once and asked for again.
_RECORD_SECONDS = 1.0

_FAILED = re.compile(r"failed (\d+) times")
_DELIVERED = re.compile(r"failed, and was delivered (\d+) times")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that is known of a run. Times are seconds of the clock that all processes of a machine share.

    Attributes:
        orders: What was sent, by key.
        key_of: The key of each message, by the message's id.
        events: What the processes and whoever hurt them wrote down, in order.
        messages: The stories of the queue's messages, letters: of its dead-letter queue's, as tests.chaos.sqs has them.
        exact: How often an effect was made that is joined to its record, by key.
        recorded: When an effect was recorded for the first time, by key.
        outages: When which service did not answer.
        claims: The service that keeps the claims; `none`: nobody.
        visibility: Seconds of the visibility timeout.
        max_attempts, max_receives: After how many failures the worker, and after how many deliveries SQS, gives up.
        healed_at: When the doomed began to succeed and the dead letters were moved back.
        exits: Exit codes by process, of those that were asked to stop; None: it had to be killed.
    """

    orders: Mapping[str, Order]
    key_of: Mapping[str, str]
    events: Sequence[Event]
    messages: Sequence[Mapping[str, Any]]
    letters: Sequence[Mapping[str, Any]] = ()
    exact: Mapping[str, int] = field(default_factory=dict[str, int])
    recorded: Mapping[str, float] = field(default_factory=dict[str, float])
    outages: Sequence[Outage] = ()
    claims: str = "DynamoDB"
    visibility: float = 10
    max_attempts: int = 4
    max_receives: int = 100
    healed_at: float = float("inf")
    exits: Mapping[int, int | None] = field(default_factory=dict[int, int | None])

    @property
    def grace(self) -> float:
        """How long a request may wait for its turn to be sent again: a third of a lease, as heartbeats may."""
        return max(3.0, self.visibility / 3)


@dataclass(frozen=True)
class Finding:
    """Something that must not happen: which, to whom, and what shows it."""

    fault: Fault
    subject: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """What became of each order, and what went wrong."""

    outcomes: Mapping[str, Outcome]
    findings: Sequence[Finding]

    @property
    def good(self) -> bool:
        return not self.findings

    @property
    def counts(self) -> dict[str, int]:
        """How many orders ended how, and how many findings there are of each fault."""
        ended = Counter(self.outcomes.values())
        found = Counter(finding.fault for finding in self.findings if finding.fault not in ("lost", "queued"))
        return {what: ended.get(what, 0) + found.get(what, 0) for what in MEANINGS}  # type: ignore[call-overload]

    def of(self, fault: Fault) -> list[Finding]:
        return [finding for finding in self.findings if finding.fault == fault]


@dataclass(eq=False, kw_only=True)
class Attempt:
    """One call of the handler."""

    process: int
    key: str
    message: str
    begun: float
    effect: float | None = None
    raised: float | None = None
    recorded: float | None = None


class Case:
    """The evidence, put in order."""

    def __init__(self, observed: Observed) -> None:
        self.seen = observed
        self.attempts = _attempts(observed.events)
        self.by_key: defaultdict[str, list[Attempt]] = defaultdict(list)
        self.by_message: defaultdict[str, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            self.by_key[attempt.key].append(attempt)
            self.by_message[attempt.message].append(attempt)
        self.stories = {story["id"]: story for story in observed.messages}
        self.stories_of: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for story in observed.messages:
            self.stories_of[observed.key_of.get(story["id"], "")].append(story)
        self.letters_of: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for letter in observed.letters:
            self.letters_of[observed.key_of.get(self.source(letter), "")].append(letter)
        self.letters: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for letter in observed.letters:
            self.letters[self.source(letter)].append(letter)
        self.ended_at = {event.process: event.at for event in observed.events if event.what in ("killed", "ended")}
        self.killed_at = {event.process: event.at for event in observed.events if event.what == "killed"}
        self.replaced = {event.process for event in observed.events if event.what == "deaf"}
        self.frozen = _frozen(observed.events)

    @staticmethod
    def source(letter: Mapping[str, Any]) -> str:
        """The id of the message that the letter was."""
        return letter["id"] if letter["sent_by"] == "SQS" else letter["original"]

    @cached_property
    def recorded(self) -> Mapping[str, float]:
        """When each key was recorded for the first time, by the server or by what the processes wrote."""
        found = dict(self.seen.recorded)
        for event in self.seen.events:
            if event.what == "recorded":
                found.setdefault(event.key, event.at)
        return found

    @cached_property
    def holes(self) -> set[Attempt]:
        """Attempts that may have begun while their process was frozen: one at most for each freeze."""
        found: set[Attempt] = set()
        for process, freezes in self.frozen.items():
            for _, thawed in freezes:
                after = [
                    attempt
                    for attempt in self.attempts
                    if attempt.process == process and thawed <= attempt.begun <= thawed + _HOLE_SECONDS
                ]
                found |= set(after[:1])
        return found

    def interrupted(self, attempt: Attempt, *, until: float | None = None) -> bool:
        """Whether its process was killed or frozen after it had begun and before its effect was recorded (`until`)."""
        end = until if until is not None else attempt.recorded
        if attempt in self.holes:
            return True
        killed = self.killed_at.get(attempt.process)
        if killed is not None and killed >= attempt.begun and (end is None or killed <= end):
            return True
        return any(
            frozen >= attempt.begun and (end is None or frozen <= end) for frozen, _ in self.frozen[attempt.process]
        )

    def unrecorded(self, attempt: Attempt) -> bool:
        """Whether its process was killed so soon after the failure that nobody else may know of it."""
        killed = self.killed_at.get(attempt.process)
        return attempt.raised is not None and killed is not None and 0 <= killed - attempt.raised <= _RECORD_SECONDS

    def reachable(self, operations: Sequence[str], since: float, until: float, *, process: int) -> float:
        """Seconds in which the process lived, was not frozen, and SQS answered all of these operations."""
        until = min(until, self.ended_at.get(process, until))
        away = [
            (outage.begins, outage.ends)
            for outage in self.seen.outages
            if any(outage.meets("SQS", operation) for operation in operations)
        ]
        return max(0.0, until - since) - _covered([*away, *self.frozen[process]], since, until)

    def claims_answered(self, since: float, until: float) -> float:
        """Seconds in which the store of claims took writes."""
        away = [(outage.begins, outage.ends) for outage in self.seen.outages if outage.service == self.seen.claims]
        return max(0.0, until - since) - _covered(away, since, until)

    def delivery(self, attempt: Attempt) -> tuple[int, Any] | None:
        """The delivery that the attempt was made of, and its place."""
        story = self.stories.get(attempt.message)
        mine = [
            (place, delivery)
            for place, delivery in enumerate(story["deliveries"] if story else ())
            if delivery[1] == f"worker-{attempt.process}" and delivery[0] <= attempt.begun
        ]
        return mine[-1] if mine else None


def check(observed: Observed) -> Verdict:
    """What became of each order, and what went wrong."""
    case = Case(observed)
    findings: list[Finding] = []
    outcomes: dict[str, Outcome] = {}
    for key, order in observed.orders.items():
        outcomes[key], found = _order(case, key, order)
        findings += found
    strangers = {attempt.key for attempt in case.attempts} | {*observed.exact}
    findings += [Finding("unwanted", key, "it was never sent") for key in sorted(strangers - {*observed.orders})]
    for rule in (_letters, _attempt_counts, _order_of_groups, _hidden, _exits):
        findings += rule(case)
    return Verdict(outcomes, findings)


def _order(case: Case, key: str, order: Order) -> tuple[Outcome, list[Finding]]:
    """What became of one order, and what speaks against it."""
    attempts = case.by_key[key]
    made = [attempt for attempt in attempts if attempt.effect is not None]
    times = len(made) + case.seen.exact.get(key, 0)
    if times and not order.wanted:
        return "done", [Finding("unwanted", key, f"a {order.does} order has an effect")]
    if not times:
        letters = [letter for letter in case.letters_of[key] if letter["moved_at"] is None]
        if letters:
            return "dead", []
        if not all(_gone(story) for story in case.stories_of[key]):
            return "queued", [Finding("queued", key, f"{order.does}: {_told(case, key)}")]
        return "lost", [Finding("lost", key, f"{order.does}: {_told(case, key)}")]
    outcome: Outcome = "done"
    findings: list[Finding] = []
    if case.seen.exact.get(key, 0) > 1:
        findings.append(Finding("repeated", key, f"an exact effect, {case.seen.exact[key]} times"))
    judge = _repeated_without_claims if case.seen.claims == "none" else _repeated
    for later in attempts:
        excuse = judge(case, later, attempts)
        if excuse == "":
            findings.append(Finding("repeated", key, f"{order.does}: {_told(case, key)}"))
            break
        if excuse is not None and later.effect is not None:
            outcome = excuse  # type: ignore[assignment]
    return outcome, findings


def _repeated(case: Case, later: Attempt, attempts: Sequence[Attempt]) -> str | None:
    """With claims: what excuses `later`; empty if nothing does, None if there is nothing to excuse."""
    recorded = case.recorded.get(later.key)
    if recorded is not None and later.begun > recorded:
        return "window" if later in case.holes else ""
    if later.effect is None:
        return None
    excuse: str | None = None
    for earlier in attempts:
        if earlier is later or earlier.effect is None or earlier.effect > later.effect:
            continue
        if case.interrupted(earlier) or case.interrupted(later):
            excuse = excuse or "window"
        elif earlier.recorded is None and case.claims_answered(earlier.effect, later.begun) < case.seen.grace:
            excuse = "unrecorded"
        else:
            return ""
    return excuse


def _repeated_without_claims(case: Case, later: Attempt, attempts: Sequence[Attempt]) -> str | None:
    """Without claims each delivery runs; but no message is delivered again that could have been acknowledged."""
    excuse: str | None = None
    story = case.stories.get(later.message)
    for earlier in attempts:
        if earlier is later or earlier.message != later.message or earlier.effect is None:
            continue
        if earlier.begun > later.begun or story is None:
            continue
        if case.interrupted(earlier, until=later.begun) or story["again"] or _lease_could_not_be_kept(case, earlier):
            excuse = "window"
        else:
            return ""
    return excuse


def _lease_could_not_be_kept(case: Case, attempt: Attempt) -> bool:
    """Whether SQS did not take the acknowledgement, or the heartbeats, for as long as the lease lived."""
    found = case.delivery(attempt)
    if found is None or attempt.effect is None:
        return False
    _, (at, _, _, changes) = found
    changed_at, seconds = changes[-1] if changes else (at, case.seen.visibility)
    if changes and seconds != case.seen.visibility:
        return False  # it was handed back, although its effect was made
    ends = changed_at + seconds
    delete = case.reachable(["DeleteMessage"], attempt.effect, ends, process=attempt.process)
    renew = case.reachable(["ChangeMessageVisibility"], ends - seconds / 3, ends, process=attempt.process)
    return delete < case.seen.grace or renew < seconds / 6


def _letters(case: Case) -> Iterator[Finding]:
    """Healthy orders have none; reasons are true; nobody has two."""
    for source, letters in case.letters.items():
        key = case.seen.key_of.get(source, "")
        order = case.seen.orders.get(key)
        for letter in letters:
            if order is None:
                yield Finding("reason untrue", source, f"a letter of a message that nobody sent: {letter['reason']!r}")
            elif order.healthy and not _failed_truly(case, source, letter):
                story = f"{order.does}, reason {letter['reason']!r}: {_told(case, key)}"
                yield Finding("healthy dead-lettered", key, story)
            elif not _is_true(case, order, source, letter):
                yield Finding("reason untrue", key, f"{order.does}, reason {letter['reason']!r}: {_told(case, key)}")
        for first, second in pairwise(letters):
            if not _letter_may_come_again(case, source, first, second):
                sent = " and ".join(f"at {each['sent_at']:.2f} by {each['sent_by']}" for each in (first, second))
                yield Finding("letter twice", key, f"reason {first['reason']!r}, sent {sent}; {_told(case, key)}")


def _is_true(case: Case, order: Order, source: str, letter: Mapping[str, Any]) -> bool:
    reason = str(letter["reason"])
    if order.does in POISON:
        return reason.startswith(POISON[order.does])
    if order.does == "kill":
        # Nobody lives to tell why: SQS moves it, or the worker says how often it was tried.
        tried = len(case.stories[source]["deliveries"])
        if letter["sent_by"] == "SQS":
            return tried >= case.seen.max_receives
        return all(1 <= int(number) <= tried for number in _NUMBER.findall(reason)) and bool(reason)
    if said := _DELIVERED.search(reason):  # nobody counts failures without claims
        return case.seen.claims == "none" and int(said[1]) == len(case.stories[source]["deliveries"])
    return _failed_truly(case, source, letter)


def _failed_truly(case: Case, source: str, letter: Mapping[str, Any]) -> bool:
    """Whether the letter says how often its message's own handler failed, and that was as often as it may."""
    said = _FAILED.search(str(letter["reason"]))
    if not said:
        return False
    tried = [attempt for attempt in case.by_message[source] if attempt.begun <= letter["sent_at"]]
    if case.seen.claims == "none":  # each process counts for itself
        tried = [attempt for attempt in tried if attempt.process == _process(letter["sent_by"])]
    failed = sum(attempt.raised is not None and not case.unrecorded(attempt) for attempt in tried)
    # A claim counts the attempts at its key, and so at another message of the same order.
    key = case.seen.key_of.get(source, "")
    at_most = len(tried) if case.seen.claims == "none" else sum(a.begun <= letter["sent_at"] for a in case.by_key[key])
    return failed <= int(said[1]) <= at_most and int(said[1]) >= case.seen.max_attempts


def _letter_may_come_again(case: Case, source: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Its answer was lost, its process died or stood still, or the delete could not be sent while the lease lived."""
    if not first["heard"]:
        return True
    process = _process(first["sent_by"])
    killed = case.killed_at.get(process)
    if killed is not None and first["sent_at"] <= killed <= second["sent_at"]:
        return True
    if any(first["sent_at"] - 1 <= frozen <= second["sent_at"] for frozen, _ in case.frozen[process]):
        return True
    if (story := case.stories.get(source)) and story["again"]:
        return True
    held = [each for each in story["deliveries"] if each[1] == f"worker-{process}"] if story else []
    ends = [_lease_end(case, each) for each in held if each[0] <= first["sent_at"]]
    until = min([second["sent_at"], *ends[-1:]])
    reachable = case.reachable(["DeleteMessage"], first["sent_at"], until, process=process)
    return reachable < min(case.seen.grace, until - first["sent_at"])


def _attempt_counts(case: Case) -> Iterator[Finding]:
    """No message fails more often than it may: in all processes with claims, which count; else in each."""
    for message, attempts in case.by_message.items():
        order = case.seen.orders.get(attempts[0].key)
        failed = Counter(attempt.process for attempt in attempts if attempt.raised is not None)
        most = case.seen.max_attempts
        if order and order.does == "refuse":
            if failed.total() > 1 and not _poison_may_be_tried_again(case, attempts):
                yield Finding(
                    "too many attempts", order.key, f"refused {failed.total()} times; {_told(case, order.key)}"
                )
        elif (max(failed.values(), default=0) if case.seen.claims == "none" else failed.total()) > most + _uncounted(
            case, attempts
        ):
            detail = f"message {message} failed {failed.total()} times of {most}; {_told(case, attempts[0].key)}"
            yield Finding("too many attempts", attempts[0].key, detail)


def _uncounted(case: Case, attempts: Sequence[Attempt]) -> int:
    """How many failures nobody may know of, or, of the last, could not end in a letter, or were of a copy of SQS's."""
    last = case.seen.max_attempts - 1
    return sum(
        attempt.raised is not None
        and (
            case.unrecorded(attempt)
            or (
                place >= last
                and (case.interrupted(attempt, until=following.begun) or _letter_could_not_be_sent(case, attempt))
            )
        )
        for place, (attempt, following) in enumerate(pairwise(attempts))
    )


def _poison_may_be_tried_again(case: Case, attempts: Sequence[Attempt]) -> bool:
    """A message that is refused fails once, unless its letter could not be sent."""
    return all(case.interrupted(attempt) or _letter_could_not_be_sent(case, attempt) for attempt in attempts[:-1])


def _letter_could_not_be_sent(case: Case, attempt: Attempt) -> bool:
    """Whether SQS did not take a letter, and the delete after it, for as long as the lease lived; or kept a copy."""
    found = case.delivery(attempt)
    if found is None:
        return False
    ends = _lease_end(case, found[1])
    reachable = case.reachable(["SendMessage", "DeleteMessage"], attempt.begun, ends, process=attempt.process)
    return case.stories[attempt.message]["again"] > 0 or reachable < min(case.seen.grace, ends - attempt.begun)


def _lease_end(case: Case, delivery: Any) -> float:
    at, _, _, changes = delivery
    changed_at, seconds = changes[-1] if changes else (at, case.seen.visibility)
    return float(changed_at + seconds)


def _order_of_groups(case: Case) -> Iterator[Finding]:
    """Each order of a group has its first effect, or its letter, before those that were sent after it."""
    groups: defaultdict[str, list[Order]] = defaultdict(list)
    for order in case.seen.orders.values():
        if order.group is not None:
            groups[order.group].append(order)
    for group, members in groups.items():
        in_order = sorted(members, key=lambda order: order.position)
        yield from _effects_in_order(case, group, in_order)
        yield from _letters_in_order(case, group, in_order)


def _effects_in_order(case: Case, group: str, members: Sequence[Order]) -> Iterator[Finding]:
    latest, latest_key = float("-inf"), ""
    for order in members:
        first = _first_effect(case, order.key)
        if first is None or first >= case.seen.healed_at:
            continue
        if first < latest:
            detail = f"{group}: {latest_key} was sent before it and came {latest - first:.2f} s later"
            yield Finding("out of order", order.key, f"{detail}; {_told(case, latest_key)}; {_told(case, order.key)}")
        else:
            latest, latest_key = first, order.key


def _letters_in_order(case: Case, group: str, members: Sequence[Order]) -> Iterator[Finding]:
    """What has no effect is not tried again once a later one has had its, unless its letter was there before."""
    next_effect, after = float("inf"), ""
    for order in reversed(members):
        first = _first_effect(case, order.key)
        if first is not None and first < case.seen.healed_at:
            if first < next_effect:
                next_effect, after = first, order.key
            continue
        tried = [attempt for attempt in case.by_key[order.key] if next_effect < attempt.begun < case.seen.healed_at]
        if not tried or order.times > 1:
            continue
        if all(letter["sent_at"] > next_effect for letter in case.letters[tried[0].message]):
            detail = f"{group}: it was tried again after {after} had its effect; {_told(case, order.key)}"
            yield Finding("out of order", order.key, detail)


def _first_effect(case: Case, key: str) -> float | None:
    times = [attempt.effect for attempt in case.by_key[key] if attempt.effect is not None]
    if case.seen.exact.get(key):
        times.append(case.recorded[key])
    return min(times, default=None)


def _hidden(case: Case) -> Iterator[Finding]:
    """A process that ends with 0 leaves nothing hidden but what waits for its next try."""
    clean = {
        f"worker-{event.process}": event for event in case.seen.events if event.what == "ended" and event.message == "0"
    }
    for story in case.seen.messages:
        for place, (at, to, heard, changes) in enumerate(story["deliveries"]):
            ended = clean.get(to)
            following = story["deliveries"][place + 1 :]
            if ended is None or not heard or (following and following[0][0] <= ended.at):
                continue
            if any(gone is not None and gone <= ended.at for gone in (story["deleted_at"], story["moved_at"])):
                continue
            changed_at, seconds = changes[-1] if changes else (at, case.seen.visibility)
            if changed_at + seconds <= ended.at + 0.5:
                continue
            failed = any(
                attempt.process == ended.process and attempt.raised is not None and attempt.raised >= at
                for attempt in case.by_message[story["id"]]
            )
            # A lease is extended after a third of it; what is changed sooner is released, for as long as it must wait.
            released = changes and (seconds != case.seen.visibility or changed_at - at < case.seen.visibility / 4)
            if released or failed or story["again"]:
                continue
            operations = ["DeleteMessage", "ChangeMessageVisibility", "SendMessage"]
            since = ended.at - case.seen.grace
            if case.reachable(operations, since, ended.at, process=ended.process) < case.seen.grace * 0.99:
                continue
            key = case.seen.key_of.get(story["id"], "")
            detail = (
                f"for {changed_at + seconds - ended.at:.1f} s after process {ended.process} ended; {_told(case, key)}"
            )
            yield Finding("hidden after a clean stop", key, detail)


def _exits(case: Case) -> Iterator[Finding]:
    for process, code in case.seen.exits.items():
        if code != 0 and not (code == EXIT_FAILED and process in case.replaced):
            said = "did not end within the stop timeout" if code is None else f"ended with {code}"
            yield Finding("wrong exit", f"process {process}", said)


def table(verdict: Verdict, facts: Iterable[tuple[str, Any]]) -> str:
    """The verdict for people: a line for each outcome and fault, then `facts`."""
    lines = [f"{verdict.counts[what]:>8}  {what:<26} {meaning}" for what, meaning in MEANINGS.items()]
    return "\n".join([*lines, "", *(f"{value!s:>8}  {name}" for name, value in facts)])


def _told(case: Case, key: str) -> str:
    """The story of a key, in short."""
    events = [(a.begun, f"begun by {a.process}") for a in case.by_key[key]]
    for attempt in case.by_key[key]:
        for at, what in ((attempt.effect, "effect"), (attempt.raised, "raised"), (attempt.recorded, "recorded")):
            events += [(at, f"{what} by {attempt.process}")] if at is not None else []
        killed = case.killed_at.get(attempt.process)
        events += [(killed, f"{attempt.process} killed")] if killed else []
        events += [
            (at, f"{attempt.process} frozen for {until - at:.1f} s") for at, until in case.frozen[attempt.process]
        ]
    for story in case.stories_of[key]:
        for at, to, heard, changes in story["deliveries"]:
            events += [(at, f"delivered to {to}{'' if heard else ' unheard'}")]
            events += [(changed, f"hidden for {seconds}") for changed, seconds in changes]
        events += [(story[what], what) for what in ("deleted_at", "moved_at") if story[what] is not None]
    if not events:
        return "nothing is known of it"
    return ", ".join(f"{at:.2f} {what}" for at, what in sorted(set(events))[:60])


def _attempts(events: Iterable[Event]) -> list[Attempt]:
    made: list[Attempt] = []
    latest: dict[tuple[int, str], Attempt] = {}  # by process and message, and by process and key
    for event in events:
        if event.what not in ("begun", "effect", "raised", "recorded"):
            continue
        attempt = latest.get((event.process, event.message or event.key))
        if attempt is None or event.what == "begun" or (event.what == "effect" and attempt.effect is not None):
            attempt = Attempt(process=event.process, key=event.key, message=event.message, begun=event.at)
            made.append(attempt)
            latest[event.process, event.message] = latest[event.process, event.key] = attempt
        if event.what == "effect":
            latest[event.process, event.key] = attempt  # a record that follows is of this effect
        if event.what != "begun":
            setattr(attempt, event.what, event.at)
    return made


def _frozen(events: Iterable[Event]) -> defaultdict[int, list[tuple[float, float]]]:
    found: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    since: dict[int, float] = {}
    for event in events:
        if event.what == "frozen":
            since[event.process] = event.at
        elif event.what in ("thawed", "killed", "ended") and event.process in since:
            found[event.process].append((since.pop(event.process), event.at))
    for process, at in since.items():
        found[process].append((at, float("inf")))
    return found


def _covered(intervals: Iterable[tuple[float, float]], since: float, until: float) -> float:
    """Seconds of [since, until] that are in any of the intervals."""
    total, reached = 0.0, since
    for begins, ends in sorted(intervals):
        first, last = max(begins, reached), min(ends, until)
        if last > first:
            total += last - first
            reached = last
    return total


def _process(sent_by: str) -> int:
    name, _, number = sent_by.rpartition("-")
    return int(number) if name == "worker" else 0


def _gone(story: Mapping[str, Any]) -> bool:
    return story["deleted_at"] is not None or story["moved_at"] is not None


Rule = Callable[[Case], Iterator[Finding]]

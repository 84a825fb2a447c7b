"""The replay of dead letters: sent back one after the other, each deleted when it was sent."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.dead_letters.boomerangs import Boomerangs
from fargate_workers_toolkit.operations.dead_letters.choice import Choice
from fargate_workers_toolkit.operations.dead_letters.journal import Journal, sent_and_not_deleted, writing
from fargate_workers_toolkit.operations.dead_letters.pace import Pace
from fargate_workers_toolkit.operations.dead_letters.reading import Pass, passing
from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore
from fargate_workers_toolkit.operations.undisturbed import undisturbed

#: Seconds for which letters stay leased beyond the time that ten of them take.
_LEASE = 60
_COUNT_EVERY = 5.0

#: Receives how many letters were sent back, and how fast.
Report = Callable[[int, float], None]


@dataclass(kw_only=True)
class Replayed:
    """What a replay came to.

    Args:
        sent: Letters that were sent back.
        finished: Letters that an interrupted replay had sent, and that were only deleted now.
        left: Letters that were seen and not chosen.
        gone: Letters that somebody else has taken meanwhile.
        newer: Letters that arrived meanwhile, which are not touched.
        back: Letters that were sent back and came back.
        stopped: Why it stopped before its end. Empty: it did not.
        complete: Whether every letter was seen.
        journal: The journal's file.
    """

    sent: int = 0
    finished: int = 0
    left: int = 0
    gone: int = 0
    newer: int = 0
    back: int = 0
    stopped: str = ""
    complete: bool = True
    journal: str = ""


def replay(
    store: DeadLetterStore,
    choice: Choice,
    *,
    rate: float,
    folder: Path,
    clock: Clock,
    report: Report = lambda _sent, _rate: None,
    header: dict[str, object] | None = None,
) -> Replayed:
    """Send the chosen letters back to where they came from.

    Each letter is written to the journal, sent, noted as sent, and deleted. Killed between any two of these, nothing is
    lost; the letter in hand may be sent once more by the next replay, and no other.

    Args:
        store: Where the letters lie.
        choice: Which of them.
        rate: Letters a second at most; it begins with one.
        folder: The folder of the store's journals.
        clock: The time.
        report: Receives how many were sent, and the rate. Defaults to nothing.
        header: What the journal's first line holds besides. Defaults to nothing.

    Returns:
        What was done. A replay whose letters come back has stopped.

    Raises:
        OperationsError: The source refuses, or the journal cannot be written.
    """
    result = Replayed()
    lease = _LEASE + int(20 / rate)
    with (
        writing(folder, "replay", {"store": store.name, "chosen": choice.described(), **(header or {})}) as journal,
        passing(store, receivers=1, lease=lease) as (state, letters),
    ):
        result.journal = str(journal.path)
        _Replay(store, choice, rate=rate, clock=clock, report=report, unfinished=sent_and_not_deleted(folder)).run(
            state, letters, journal, result
        )
        result.complete = state.complete
        journal.end(sent=result.sent, finished=result.finished, stopped=result.stopped)
    return result


class _Replay:
    """One replay under way."""

    def __init__(
        self,
        store: DeadLetterStore,
        choice: Choice,
        *,
        rate: float,
        clock: Clock,
        report: Report,
        unfinished: dict[str, float | None],
    ) -> None:
        self._store = store
        self._choice = choice
        self._clock = clock
        self._report = report
        self._unfinished = unfinished
        self._pace = Pace(clock, most=rate)
        self._began = clock.now()
        self._next_count = self._began + _COUNT_EVERY

    def run(self, state: Pass, letters: Generator[DeadLetter], journal: Journal, result: Replayed) -> None:
        guard = Boomerangs(depth=state.expected)
        for letter in letters:
            now = self._clock.now()
            if guard.returns(letter, now=now):
                result.back = guard.back
            elif self._was_sent(letter):
                self._delete(letter, state, journal)
                result.finished += 1
            elif letter.died_at > self._began:
                result.newer += 1
            elif not self._choice.takes(letter, now=now):
                result.left += 1
            elif result.sent == self._choice.limit:
                return
            else:
                self._pace.wait()
                if self._send(letter, state, journal, guard):
                    result.sent += 1
                    self._report(result.sent, self._pace.rate)
                else:
                    result.gone += 1
            result.stopped = self._verdict(guard)
            if result.stopped:
                result.back = max(guard.back, guard.arrived)
                return

    def _was_sent(self, letter: DeadLetter) -> bool:
        """Whether an interrupted replay has sent it."""
        return letter.id in self._unfinished and self._unfinished[letter.id] in (None, letter.died_at)

    def _send(self, letter: DeadLetter, state: Pass, journal: Journal, guard: Boomerangs) -> bool:
        # Between sending and its note, an interruption would have the letter sent once more.
        with undisturbed():
            return self._send_undisturbed(letter, state, journal, guard)

    def _send_undisturbed(self, letter: DeadLetter, state: Pass, journal: Journal, guard: Boomerangs) -> bool:
        journal.taken(letter)
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        # By which its story is found, however often it is replayed.
        first = letter.attributes.get("replay.first") or letter.original_id or letter.id
        sent_as = self._store.send_back(letter, marks={"replay.of": letter.id, "replay.at": at, "replay.first": first})
        if sent_as is None:
            return False
        journal.sent(letter, sent_as)
        self._delete(letter, state, journal)
        guard.sent_back(sent_as, now=self._clock.now())
        return True

    def _delete(self, letter: DeadLetter, state: Pass, journal: Journal) -> None:
        self._store.delete(letter)
        journal.deleted(letter)
        state.gone(letter)

    def _verdict(self, guard: Boomerangs) -> str:
        now = self._clock.now()
        if now >= self._next_count:
            guard.counted(self._store.depth().total, now=now)
            self._next_count = now + _COUNT_EVERY
        if not guard.too_many(now=now):
            return ""
        back = max(guard.back, guard.arrived)
        letters = "1 letter" if back == 1 else f"{back:,} letters"
        return f"{letters} came back within two minutes; the cause is still there"

"""The judge is judged first: it must see what is lost and what happened twice."""

from collections.abc import Collection, Mapping, Sequence

import pytest

from tests.chaos.checker import MEANINGS, Observed, Outcome, check, table
from tests.chaos.history import Event, What


def events(*what: tuple[What, int]) -> list[Event]:
    """Events of the order `o`, a second apart."""
    return [Event(float(at), kind, process, "" if kind == "killed" else "o") for at, (kind, process) in enumerate(what)]


def outcome(
    *what: tuple[What, int],
    wanted: Collection[str] = ("o",),
    exact: Mapping[str, int] | None = None,
    recorded: Mapping[str, float] | None = None,
    letters: Mapping[str, Sequence[str]] | None = None,
    queued: Collection[str] = (),
) -> Outcome:
    observed = Observed(
        wanted=wanted,
        poison={"o"} - {*wanted},
        events=events(*what),
        exact=exact or {},
        recorded=recorded or {},
        letters=letters or {},
        queued=queued,
    )
    return check(observed).outcomes["o"]


def test_an_effect_once_is_done() -> None:
    assert outcome(("begun", 1), ("effect", 1), recorded={"o": 1.5}) == "done"
    assert outcome(("begun", 1), exact={"o": 1}, recorded={"o": 1.5}) == "done"


def test_an_effect_after_attempts_that_died_before_it_is_done() -> None:
    assert outcome(("begun", 1), ("killed", 1), ("begun", 2), ("effect", 2), recorded={"o": 9.0}) == "done"


def test_an_effect_after_a_redrive_is_done_whatever_letter_there_was() -> None:
    assert outcome(("begun", 1), ("effect", 1), letters={"o": ["failed 4 times"]}) == "done"


def test_no_effect_and_nowhere_is_lost() -> None:
    assert outcome() == "lost"
    assert outcome(("begun", 1), ("killed", 1)) == "lost"


def test_no_effect_yet_and_in_the_queue_is_queued() -> None:
    assert outcome(("begun", 1), ("killed", 1), queued={"o"}) == "queued"


def test_a_dead_letter_needs_a_reason() -> None:
    assert outcome(letters={"o": ["not JSON"]}, wanted=()) == "dead"
    assert outcome(letters={"o": [""]}, wanted=()) == "unexplained"
    assert outcome(letters={"o": ["not JSON", ""]}, wanted=()) == "unexplained"


def test_two_effects_are_a_duplicate() -> None:
    assert outcome(("begun", 1), ("effect", 1), ("begun", 2), ("effect", 2)) == "duplicated"
    assert outcome(("begun", 1), ("effect", 1), ("effect", 1)) == "duplicated"


def test_two_effects_are_the_window_if_the_first_process_was_killed_before_the_record() -> None:
    assert outcome(("begun", 1), ("effect", 1), ("killed", 1), ("begun", 2), ("effect", 2)) == "window"
    twice = (("effect", 1), ("killed", 1), ("begun", 2), ("effect", 2), ("killed", 2), ("begun", 3), ("effect", 3))
    assert outcome(("begun", 1), *twice, recorded={"o": 99.0}) == "window"


def test_the_death_of_another_process_is_no_excuse() -> None:
    assert outcome(("begun", 1), ("effect", 1), ("killed", 3), ("begun", 2), ("effect", 2)) == "duplicated"
    assert outcome(("begun", 1), ("effect", 1), ("begun", 2), ("effect", 2), ("killed", 2)) == "duplicated"


def test_a_death_after_the_record_is_no_excuse() -> None:
    first = (("begun", 1), ("effect", 1), ("recorded", 1), ("killed", 1))
    assert outcome(*first, ("begun", 2), ("effect", 2)) == "duplicated"


def test_two_effects_of_one_process_are_a_duplicate_even_if_it_was_killed_later() -> None:
    assert outcome(("begun", 1), ("effect", 1), ("begun", 1), ("effect", 1), ("killed", 1)) == "duplicated"


def test_an_effect_joined_to_its_record_has_no_window() -> None:
    assert outcome(("begun", 1), ("killed", 1), ("begun", 2), exact={"o": 2}, recorded={"o": 9.0}) == "duplicated"


def test_a_handler_called_after_the_record_is_a_fault_even_without_an_effect() -> None:
    assert outcome(("begun", 1), ("effect", 1), ("begun", 2), recorded={"o": 1.5}) == "repeated"
    assert outcome(("begun", 1), ("effect", 1), ("killed", 1), ("begun", 2), recorded={"o": 1.5}) == "repeated"


def test_poison_and_strangers_must_have_no_effect() -> None:
    assert outcome(("begun", 1), ("effect", 1), wanted=()) == "unwanted"
    assert outcome(exact={"o": 1}, wanted=()) == "unwanted"
    stranger = Observed(
        wanted=(), poison=(), events=events(("effect", 1)), exact={}, recorded={}, letters={}, queued=()
    )
    assert check(stranger).outcomes == {"o": "unwanted"}


@pytest.mark.parametrize("outcome", MEANINGS)
def test_only_what_is_excused_is_good(outcome: Outcome) -> None:
    ends: dict[Outcome, Observed] = {
        "done": _run(events(("effect", 1))),
        "lost": _run([]),
        "queued": _run([], queued={"o"}),
        "duplicated": _run(events(("effect", 1), ("effect", 2))),
        "window": _run(events(("effect", 1), ("killed", 1), ("effect", 2))),
        "repeated": _run(events(("effect", 1), ("begun", 2)), recorded={"o": 0.5}),
        "dead": _run([], letters={"o": ["why"]}),
        "unexplained": _run([], letters={"o": [""]}),
        "unwanted": _run(events(("effect", 1)), wanted=set()),
    }
    verdict = check(ends[outcome])
    assert verdict.counts[outcome] == 1
    assert verdict.of(outcome) == ["o"]
    assert verdict.good == (outcome in ("done", "window", "dead"))
    assert verdict.bad == ([] if verdict.good else [outcome])
    assert f"       1  {outcome}" in table(verdict, [("seconds", 3)])


def _run(
    happened: Sequence[Event],
    *,
    wanted: Collection[str] = frozenset({"o"}),
    recorded: Mapping[str, float] | None = None,
    letters: Mapping[str, Sequence[str]] | None = None,
    queued: Collection[str] = (),
) -> Observed:
    return Observed(
        wanted=wanted,
        poison=(),
        events=happened,
        exact={},
        recorded=recorded or {},
        letters=letters or {},
        queued=queued,
    )

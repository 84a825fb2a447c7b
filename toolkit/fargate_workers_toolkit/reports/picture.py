"""What is drawn of a simulation: backlog, age, tasks and what happened. The page and both kinds of plot show this."""

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from fargate_workers_toolkit.reports.moments import REASONS, clock
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.reports.verdict import verdict_of
from fargate_workers_toolkit.simulation import FIGURES, Event, seconds_text

Look = Literal["backlog", "age", "retried", "running", "desired", "needed", "alarm", "out", "in", "schedule", "blocked"]

# On white and on black. Blue and orange differ for the colour-blind too, and colour is never the only difference.
PALETTE = {
    "paper": ("#ffffff", "#0f1318"),
    "card": ("#f4f6f8", "#1a2027"),
    "rule": ("#dfe3e8", "#2e3640"),
    "ink": ("#1a1d21", "#e8eaed"),
    "soft": ("#56606b", "#a3adb8"),
    "kept": ("#1a7136", "#5fd07f"),
    "late": ("#c0182b", "#ff8078"),
    "backlog": ("#0b6e99", "#5cb8e4"),
    "age": ("#0b6e99", "#5cb8e4"),
    "retried": ("#0b6e99", "#5cb8e4"),
    "running": ("#6f9fe0", "#3f70b8"),
    "desired": ("#12408f", "#b3d1ff"),
    "needed": ("#c25100", "#ffa04d"),
    "alarm": ("#78828e", "#8b97a5"),
    "out": ("#c25100", "#ffa04d"),
    "in": ("#12408f", "#7fb2ff"),
    "schedule": ("#7a3fb8", "#c297ff"),
    "blocked": ("#c0182b", "#ff8078"),
}

# Between two names on the time axis: whatever makes them four at most, for a phone.
TICKS = tuple(
    [60 * minutes for minutes in (1, 2, 5, 10, 15, 30)]
    + [3600 * hours for hours in (1, 2, 3, 6, 12)]
    + [86_400 * days for days in (1, 2, 7, 14, 30, 60, 90, 180, 365)]
)
MOST_TICKS = 4
TIME_AXIS = "hours and minutes since the beginning"

# Logical ids end with eight digits that mean nothing to a reader.
HASH = re.compile(r"(?<=[a-z])[0-9A-F]{8}\b")


class Line(NamedTuple):
    """One value a minute, at its end.

    Args:
        name: Its name, for people.
        look: Its class in the styles.
        values: The values.
        unit: The unit of the values. Defaults to none.
        stepped: Whether it jumps from value to value. Defaults to False.
        filled: Whether the area down to 0 is filled. Defaults to False.
        dashed: Whether it is dashed. Defaults to False.
    """

    name: str
    look: Look
    values: Sequence[float]
    unit: str = ""
    stepped: bool = False
    filled: bool = False
    dashed: bool = False


class Panel(NamedTuple):
    """Lines over time, from 0 to a ceiling.

    Args:
        name: Its name, for people.
        explanation: A sentence on it.
        lines: The lines.
        ceiling: The highest value that has room.
        summary: The panel in words, for those who cannot see it.
        level: The value of the SLO. Defaults to None: it has no room here.
    """

    name: str
    explanation: str
    lines: Sequence[Line]
    ceiling: float
    summary: str
    level: float | None = None


class Mark(NamedTuple):
    """Something that happened, from a second to another.

    Args:
        begin: Its first second.
        end: Its last second.
        look: Its class in the styles.
        note: The event, where the lane's name does not show it. Defaults to none.
    """

    begin: int
    end: int
    look: Look
    note: str = ""


def merged(marks: Sequence[Mark], *, near: int) -> list[Mark]:
    """One mark for those that are no further apart than so many seconds, without their notes."""
    together: list[Mark] = []
    newest: dict[Look, int] = {}
    for mark in marks:
        index = newest.get(mark.look)
        if index is not None and mark.begin - together[index].end <= near:
            together[index] = together[index]._replace(end=mark.end)
        else:
            newest[mark.look] = len(together)
            together.append(mark._replace(note=""))
    return together


class Lane(NamedTuple):
    name: str
    marks: Sequence[Mark]

    def often(self) -> str:
        return "once" if len(self.marks) == 1 else f"{len(self.marks)} times"

    def label(self) -> str:
        return f"{self.name}, {self.often()}"


class Picture(NamedTuple):
    """`verdict` and `figures`: what the picture comes to, in one line each."""

    title: str
    verdict: str
    kept: bool
    figures: str
    seconds: int
    panels: Sequence[Panel]
    lanes: Sequence[Lane]


def pictures(studies: Sequence[Study]) -> list[Picture]:
    """One of each study, all on the same scales."""
    panels = [_panels(study) for study in studies]
    ceilings = [max(panel.ceiling for panel in alike) for alike in zip(*panels, strict=True)]
    return [
        Picture(
            title=readable(study.name if len(studies) > 1 else headline(studies)),
            verdict=verdict_of([study]).sentence,
            kept=verdict_of([study]).kept,
            figures=_figures(study),
            seconds=study.result.seconds,
            panels=[panel._replace(ceiling=ceiling) for panel, ceiling in zip(each, ceilings, strict=True)],
            lanes=_lanes(study.result.events, study.result.seconds),
        )
        for study, each in zip(studies, panels, strict=True)
    ]


def _figures(study: Study) -> str:
    text = {figure.key: figure.format(study.result) for figure in FIGURES}
    return f"{text['cost']}, {text['task_hours']} task-hours; 99 of 100 messages done within {text['p99']}"


def headline(studies: Sequence[Study]) -> str:
    names = " and ".join(dict.fromkeys(study.service.name for study in studies))
    return f"{names} under {studies[0].load.name}"


def readable(text: str) -> str:
    """Without the digits at the end of logical ids, and what no document may hold."""
    return HASH.sub("", "".join(letter if letter.isprintable() else " " for letter in text))


def shortened(text: str, *, most: int) -> str:
    """The beginning, and the end, which names what happened."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def time_ticks(seconds: int) -> list[tuple[int, str]]:
    """Round moments with their names; a new day is named by its number."""
    step = next((step for step in TICKS if step * MOST_TICKS >= seconds), TICKS[-1])
    return [(second, _tick(second, seconds)) for second in range(0, seconds + 1, step)]


def _tick(second: int, seconds: int) -> str:
    if seconds <= 86_400:
        return clock(second)
    day, rest = divmod(second, 86_400)
    return clock(rest) if rest else f"day {day + 1}"


def _panels(study: Study) -> list[Panel]:
    minutes, slo = study.result.minutes, study.result.slo
    running, desired, needed = minutes.running, minutes.desired, study.needed_tasks()
    late = sum(minutes.age(minute) > slo for minute in range(len(minutes.oldest_age)))
    ages = [Line("oldest", "age", minutes.oldest_age, unit=" s", filled=True)]
    if any(minutes.retried_age):
        ages.append(Line("received again, when worked on", "retried", minutes.retried_age, unit=" s", dashed=True))
    most, when = _most(minutes.visible)
    oldest, then = _most([minutes.age(minute) for minute in range(len(minutes.oldest_age))])
    return [
        Panel(
            name="Backlog",
            explanation="messages that wait",
            lines=[Line("backlog", "backlog", minutes.visible, filled=True)],
            ceiling=_whole_ceiling(most),
            summary=f"At most {most:,.0f} messages wait, at {when}.",
        ),
        Panel(
            name="Age",
            explanation="of the oldest message that waits, in seconds",
            lines=ages,
            ceiling=_ceiling(max(oldest, 1.1 * slo)),  # the SLO's name stands above its line
            level=slo,
            summary=f"At most {seconds_text(oldest)}, at {then}; above the SLO of {slo:g} s in {late} minutes.",
        ),
        Panel(
            name="Tasks",
            explanation="",
            lines=[
                Line("running", "running", running, stepped=True, filled=True),
                Line("needed", "needed", needed),
                Line("desired", "desired", desired, stepped=True),
            ],
            ceiling=_whole_ceiling(max(max(values) for values in (running, desired, needed))),
            summary=f"At most {max(desired)} tasks desired, {max(running)} running, {max(needed):.1f} needed.",
        ),
    ]


def _most(values: Sequence[float]) -> tuple[float, str]:
    most = max(values)
    return most, clock(60 * (values.index(most) + 1))


def _ceiling(most: float) -> float:
    """The next round number whose half is one too."""
    if most <= 0:
        return 1
    power = 10 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= most)


def _whole_ceiling(most: float) -> float:
    """The same for what there are no halves of."""
    ceiling = _ceiling(max(most, 2))
    return ceiling + ceiling % 2


def _lanes(events: Sequence[Event], seconds: int) -> list[Lane]:
    """Alarms while they are in ALARM, then the steps, then what was blocked, a lane for each reason."""
    alarms: dict[str, list[Mark]] = {}
    since: dict[str, int] = {}
    steps: list[Mark] = []
    blocked: dict[str, list[Mark]] = {}
    for event in events:
        at, name = event.second, event.name
        match event.kind:
            case "alarm":
                if name in since:
                    alarms[name].append(Mark(since.pop(name), at, "alarm"))
                if event.detail == "ALARM":
                    alarms.setdefault(name, [])
                    since[name] = at
            case "scaled" | "schedule":
                note = f"{readable(name)}: {event.detail}".replace("->", "→")
                steps.append(Mark(at, at, _look(event), note))
            case "blocked":
                blocked.setdefault(f"{name} {REASONS.get(event.detail, event.detail)}", []).append(
                    Mark(at, at, "blocked")
                )
    for name, begin in since.items():
        alarms[name].append(Mark(begin, seconds, "alarm"))
    together = {f"{name} in ALARM": marks for name, marks in alarms.items()}
    if steps:
        together["Steps: out above, in below"] = steps
    return [Lane(readable(name), marks) for name, marks in (together | blocked).items()]


def _look(event: Event) -> Look:
    if event.kind == "schedule":
        return "schedule"
    before, _, after = event.detail.partition(" -> ")
    return "out" if int(after) > int(before) else "in"

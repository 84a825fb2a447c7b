"""A page of what a simulation found: one file without scripts that needs nothing else."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from fargate_workers_toolkit.simulation.drawing import Lane, Line, Mark, chart, lanes
from fargate_workers_toolkit.simulation.events import Event
from fargate_workers_toolkit.simulation.figures import FIGURES
from fargate_workers_toolkit.simulation.moments import REASONS, clock, moments_that_mattered
from fargate_workers_toolkit.simulation.study import Study

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #656d76; --line: #d8dee4; --paper: #fff;
  --first: #0969da; --second: #bc4c00; --third: #8250df; --bad: #cf222e; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #8d96a0; --line: #30363d; --paper: #0d1117;
  --first: #4493f8; --second: #f0883e; --third: #ab7df8; --bad: #f85149; --good: #3fb950; } }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 0; }
p { color: var(--soft); margin: .2rem 0; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .5rem .25rem 0; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); } .good { color: var(--good); }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.right { text-anchor: end; } .middle { text-anchor: middle; } svg text.slo-name { fill: var(--bad); }
.grid { stroke: var(--line); } .lane { fill: var(--line); opacity: .4; }
.line { fill: none; stroke-width: 1.5; } .first { stroke: var(--first); } .second { stroke: var(--second); }
.third { stroke: var(--third); } .slo { stroke: var(--bad); stroke-dasharray: 5 3; }
.key { padding-left: 1.4em; } .key-first { color: var(--first); } .key-second { color: var(--second); }
.key-third { color: var(--third); }
.alarm, .stopped { fill: var(--bad); } .out { fill: var(--second); } .in { fill: var(--first); }
.schedule { fill: var(--third); }
"""


def page(studies: Sequence[Study]) -> str:
    """The page, of one study or of several below each other. Elements escape every name."""
    first = studies[0]
    names = " and ".join(dict.fromkeys(study.service.name for study in studies))
    title = f"{names} under {first.load.name}"
    html = Element("html", {"lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    _tell(head, "title", title)
    SubElement(head, "style").text = STYLE
    body = SubElement(html, "body")
    _tell(body, "h1", title)
    _tell(
        body,
        "p",
        f"{first.result.sent:,} messages, an SLO of {first.result.slo:g} s from sending a message to the end of its "
        f"work, {first.result.engine} engine. Times are hours and minutes from the beginning.",
    )
    _figures(body, studies)
    for study in studies:
        _study(body, study, several=len(studies) > 1)
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


def _figures(body: Element, studies: Sequence[Study]) -> None:
    table = SubElement(body, "table")
    first, *others = studies
    if others:
        row = SubElement(table, "tr")
        for heading in ("", *(study.title for study in studies), "Difference"):
            _tell(row, "th", heading)
    for figure in FIGURES:
        row = SubElement(table, "tr")
        _tell(row, "td", figure.name)
        for study in studies:
            late = figure.judged and figure.value(study.result) > study.result.slo
            mark, look = ("✗ ", "number bad") if late else ("✓ ", "number good") if figure.judged else ("", "number")
            _tell(row, "td", mark + figure.told(study.result), look=look)
        for other in others:
            _tell(row, "td", figure.difference(first.result, other.result), look="number")


def _study(body: Element, study: Study, *, several: bool) -> None:
    result = study.result
    minutes, seconds = result.minutes, result.seconds
    section = SubElement(body, "section")
    _tell(section, "h2", study.title if several else "The course of it")
    _tell(section, "h3", "Backlog: messages that wait")
    section.append(chart([Line("waiting", minutes.visible, "first")], seconds=seconds, title="Backlog"))
    _tell(section, "h3", "Age of the oldest message that waits, in seconds")
    age = Line("oldest age", minutes.oldest_age, "first")
    level = (result.slo, f"SLO {result.slo:g} s")
    section.append(chart([age], seconds=seconds, title="Age of the oldest message against the SLO", level=level))
    _tell(section, "h3", "Tasks")
    tasks = [
        Line("needed for what arrives", study.needed_tasks(), "third"),
        Line("running", minutes.running, "second", stepped=True),
        Line("desired", minutes.desired, "first", stepped=True),
    ]
    section.append(chart(tasks, seconds=seconds, title="Desired, running and needed tasks"))
    keys = SubElement(section, "p")
    for line in reversed(tasks):
        _tell(keys, "span", f"— {line.name} ", look=f"key-{line.look}")
    rows = _lanes(result.events, seconds)
    if rows:
        _tell(section, "h3", "Alarms, steps and blocked actions")
        section.append(lanes(rows, seconds=seconds, title="Alarms, steps and blocked actions"))
    moments = moments_that_mattered(result, most=20)
    if moments:
        _tell(section, "h3", "What mattered")
        table = SubElement(section, "table")
        for moment in moments:
            row = SubElement(table, "tr")
            _tell(row, "td", moment.when)
            _tell(row, "td", moment.what)


def _lanes(events: Sequence[Event], seconds: int) -> list[Lane]:
    """Alarms while they are in ALARM, then the steps, then what was blocked, a lane for each reason."""
    rows: list[Lane] = []
    alarms: dict[str, list[Mark]] = {}
    since: dict[str, int] = {}
    steps: list[Mark] = []
    blocked: dict[str, list[Mark]] = {}
    for event in events:
        at = event.second
        match event.kind:
            case "alarm":
                marks = alarms.setdefault(event.name, [])
                begin = since.pop(event.name, None)
                if begin is not None:
                    marks.append(_alarm(event.name, begin, at))
                if event.detail == "ALARM":
                    since[event.name] = at
            case "scaled" | "schedule":
                look = _look(event)
                steps.append(Mark(at, at, look, f"{clock(at)} {event.name}: {event.detail}"))
            case "blocked":
                reason = f"{event.name} {REASONS.get(event.detail, event.detail)}"
                blocked.setdefault(reason, []).append(Mark(at, at, "stopped", f"{clock(at)} {reason}"))
    for name, begin in since.items():
        alarms[name].append(_alarm(name, begin, seconds))
    rows += [Lane(f"{name} in ALARM", marks) for name, marks in alarms.items()]
    if steps:
        rows.append(Lane("Steps: out orange, in blue, by schedule violet", steps))
    rows += [Lane(reason, marks) for reason, marks in blocked.items()]
    return rows


def _alarm(name: str, begin: int, end: int) -> Mark:
    return Mark(begin, end, "alarm", f"{name} in ALARM from {clock(begin)} to {clock(end)}")


def _look(event: Event) -> str:
    if event.kind == "schedule":
        return "schedule"
    before, _, after = event.detail.partition(" -> ")
    return "out" if int(after) > int(before) else "in"


def _tell(parent: Element, tag: str, text: str, *, look: str | None = None) -> None:
    attributes: Mapping[str, str] = {} if look is None else {"class": look}
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    SubElement(parent, tag, dict(attributes)).text = printable

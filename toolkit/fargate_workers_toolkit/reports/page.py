"""A page of what a simulation found: one file that needs nothing else and asks nobody for anything."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from fargate_workers_toolkit.reports.drawing import MOST_POINTS, draw_lane, draw_panel, style
from fargate_workers_toolkit.reports.moments import moments_that_mattered
from fargate_workers_toolkit.reports.picture import (
    Lane,
    Picture,
    headline,
    merged,
    pictures,
    readable,
    shortened,
)
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.reports.verdict import verdict_of
from fargate_workers_toolkit.simulation import FIGURES

DAY = 86_400
HERE = Path(__file__)
NOTES = (
    "Predicted from the template. Ages run from sending a message to the end of its work; what is drawn is the age of "
    "the oldest that waits, as SQS reports it, and apart from it that of messages that came into sight again. Needed "
    "tasks are those that the messages sent in a minute keep busy. Times are hours and minutes from the beginning."
)


def page(studies: Sequence[Study]) -> str:
    """The page, of one study or of several below each other. Elements escape every name.

    Args:
        studies: The studies, at least one.
    """
    result = studies[0].result
    styles, script = style() + HERE.with_suffix(".css").read_text(), HERE.with_suffix(".js").read_text()
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    # Nothing but what stands in this file may run or be loaded.
    policy = f"default-src 'none'; style-src '{_hash(styles)}'; script-src '{_hash(script)}'"
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    _add_text(head, "title", headline(studies))
    SubElement(head, "style").text = styles
    body = SubElement(html, "body")
    main = SubElement(body, "main")
    _add_text(main, "h1", headline(studies))
    _add_text(main, "p", f"{result.sent:,} messages in {_length(result.seconds)}, {result.engine} engine.", look="soft")
    _verdict(main, studies)
    if len(studies) == 1:
        _headline_figures(main, studies[0])
    else:
        _comparison(main, studies)
    for index, (study, picture) in enumerate(zip(studies, pictures(studies), strict=True)):
        _add_text(main, "h2", study.title if len(studies) > 1 else "Minute by minute")
        _section(main, study, picture, name=f"study-{index}")
    _add_text(main, "p", NOTES, look="soft")
    SubElement(body, "script").text = script
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


def _verdict(parent: Element, studies: Sequence[Study]) -> None:
    kept, sentence = verdict_of(studies)
    _add_text(parent, "p", f"{'✓' if kept else '✗'} {sentence}", look=f"verdict {'kept' if kept else 'broken'}")


def _headline_figures(parent: Element, study: Study) -> None:
    text = {figure.key: figure.format(study.result) for figure in FIGURES}
    tiles = [
        ("99 of 100 done within", text["p99"], f"half {text['p50']}, oldest {text['oldest']}"),
        ("Too old or lost", text["missed"], f"{text['missed_percent']} of all"),
        ("Cost", text["cost"], f"{text['task_hours']} task-hours"),
        (
            "Most tasks",
            text["peak"],
            f"{text['seconds_at_maximum']} at the maximum, {text['reversals']} reversals",
        ),
        (
            "Lost",
            text["lost"],
            f"{text['dead_lettered']} dead-lettered, {text['expired']} expired; {text['killed']} killed in mid-work, "
            f"{text['left']} left at the end",
        ),
    ]
    tiled = SubElement(parent, "dl")
    for name, value, more in tiles:
        tile = SubElement(tiled, "div")
        _add_text(tile, "dt", name)
        _add_text(tile, "dd", value)
        _add_text(tile, "dd", more)


def _comparison(parent: Element, studies: Sequence[Study]) -> None:
    first, *others = studies
    table = SubElement(parent, "table")
    row = SubElement(table, "tr")
    for heading in ("", *(shortened(study.name, most=18) for study in studies), "Difference"):
        _add_text(row, "th", heading)
    for figure in FIGURES:
        row = SubElement(table, "tr")
        _add_text(row, "td", figure.name)
        for study in studies:
            late = figure.judged and figure.value(study.result) > study.result.slo
            mark, look = ("✗ ", "broken") if late else ("✓ ", "kept") if figure.judged else ("", "plain")
            _add_text(row, "td", mark + figure.format(study.result), look=look)
        for other in others:
            _add_text(row, "td", figure.difference(first.result, other.result))
    for study in studies:
        if study.name != study.title:
            _add_text(parent, "p", f"{study.name}: {study.title}", look="soft")


def _section(parent: Element, study: Study, picture: Picture, *, name: str) -> None:
    section = SubElement(parent, "section")
    for panel in picture.panels:
        figure = SubElement(section, "figure")
        caption = SubElement(figure, "figcaption")
        _add_text(caption, "h3", panel.name)
        _add_text(caption, "span", panel.explanation)
        if len(panel.lines) > 1:
            for line in panel.lines:
                _add_text(caption, "span", line.name, look=f"key {line.look}")
        plot = SubElement(figure, "div", {"class": "plot"})
        last = panel is picture.panels[-1]
        draw_panel(plot, panel, seconds=picture.seconds, name=f"{name}-{panel.name.lower()}", axis=last)
    if picture.lanes:
        figure = SubElement(section, "figure")
        _add_text(SubElement(figure, "figcaption"), "h3", "Alarms, steps and blocked actions")
        for index, lane in enumerate(picture.lanes):
            _add_text(figure, "div", lane.label(), look="soft")
            strip = SubElement(figure, "div", {"class": "plot lane"})
            last = lane is picture.lanes[-1]
            draw_lane(
                strip, _visible(lane, picture.seconds), seconds=picture.seconds, name=f"{name}-lane-{index}", axis=last
            )
    _moment(section, picture.seconds)
    moments = moments_that_mattered(study.result, most=12)
    if moments.shown:
        _add_text(section, "h3", "What mattered")
        table = SubElement(section, "table", {"class": "moments"})
        for moment in moments.shown:
            row = SubElement(table, "tr")
            _add_text(row, "td", moment.when)
            _add_text(row, "td", moment.what)
        if moments.rest:
            _add_text(section, "p", moments.rest, look="soft")


def _visible(lane: Lane, seconds: int) -> Lane:
    """The lane; of more than a day, with one mark for those that share a point."""
    if seconds <= DAY:
        return lane
    return lane._replace(marks=merged(lane.marks, near=seconds // MOST_POINTS))


def _moment(parent: Element, seconds: int) -> None:
    """The place where the script shows a moment; of no use without it."""
    moment = SubElement(parent, "div", {"class": "moment", "hidden": "hidden"})
    bounds = {"min": "0", "max": str(seconds), "step": "60", "value": "0"}
    SubElement(moment, "input", {"type": "range", "aria-label": "Moment", **bounds})
    _add_text(moment, "output", "Point at a moment or tap it.")


def _add_text(parent: Element, tag: str, text: str, *, look: str = "") -> None:
    SubElement(parent, tag, {"class": look} if look else {}).text = readable(text)


def _length(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds % 900 == 0 else f"{seconds:,} s"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"

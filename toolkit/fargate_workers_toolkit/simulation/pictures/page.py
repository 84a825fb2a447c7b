"""A page of what a simulation found: one file that needs nothing else and asks nobody for anything."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from fargate_workers_toolkit.simulation.figures import FIGURES
from fargate_workers_toolkit.simulation.pictures.drawing import draw_lane, draw_panel, style
from fargate_workers_toolkit.simulation.pictures.moments import moments_that_mattered
from fargate_workers_toolkit.simulation.pictures.picture import Picture, headline, pictures, readable
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.study import Study

HERE = Path(__file__)
NOTES = (
    "Predicted from the template. Ages run from sending a message to the end of its work; what is drawn is the age of "
    "the oldest that waits, as SQS reports it: without those received three times. Needed tasks are those that the "
    "messages sent in a minute keep busy. Times are hours and minutes from the beginning."
)


def page(studies: Sequence[Study]) -> str:
    """The page, of one study or of several below each other. Elements escape every name."""
    result = studies[0].result
    styles, script = style() + HERE.with_suffix(".css").read_text(), HERE.with_suffix(".js").read_text()
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    # Nothing but what stands in this file may run or be loaded.
    policy = f"default-src 'none'; style-src '{_hash(styles)}'; script-src '{_hash(script)}'"
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    _tell(head, "title", headline(studies))
    SubElement(head, "style").text = styles
    body = SubElement(html, "body")
    main = SubElement(body, "main")
    _tell(main, "h1", headline(studies))
    _tell(main, "p", f"{result.sent:,} messages in {_length(result.seconds)}, {result.engine} engine.", look="soft")
    if len(studies) == 1:
        _verdict(main, result)
        _headline_figures(main, studies[0])
    else:
        _comparison(main, studies)
    for index, (study, picture) in enumerate(zip(studies, pictures(studies), strict=True)):
        _tell(main, "h2", study.title if len(studies) > 1 else "Minute by minute")
        _section(main, study, picture, name=f"study-{index}")
    _tell(main, "p", NOTES, look="soft")
    SubElement(body, "script").text = script
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


def _verdict(parent: Element, result: Result) -> None:
    if result.missed < 0.5:
        _tell(parent, "p", f"✓ No message is older than the SLO of {result.slo:g} s.", look="verdict kept")
    else:
        many = f"{result.missed:,.0f} messages, {result.missed_percent:.2f} %,"
        _tell(parent, "p", f"✗ {many} are older than the SLO of {result.slo:g} s.", look="verdict broken")


def _headline_figures(parent: Element, study: Study) -> None:
    told = {figure.key: figure.told(study.result) for figure in FIGURES}
    lost = study.result.expired + study.result.dead_lettered
    tiles = [
        ("99 of 100 done within", told["p99"], f"half {told['p50']}, oldest {told['oldest']}"),
        ("Too old", told["missed"], f"{told['missed_percent']} of all"),
        ("Cost", told["cost"], f"{told['task_hours']} task-hours"),
        ("Most tasks", told["peak"], f"{told['seconds_at_maximum']} at the maximum, {told['reversals']} reversals"),
        (
            "Lost",
            f"{lost:,.0f}",
            f"{told['dead_lettered']} dead-lettered, {told['expired']} expired; {told['killed']} killed in mid-work, "
            f"{told['left']} left at the end",
        ),
    ]
    tiled = SubElement(parent, "dl")
    for name, value, more in tiles:
        tile = SubElement(tiled, "div")
        _tell(tile, "dt", name)
        _tell(tile, "dd", value)
        _tell(tile, "dd", more)


def _comparison(parent: Element, studies: Sequence[Study]) -> None:
    first, *others = studies
    table = SubElement(parent, "table")
    row = SubElement(table, "tr")
    for heading in ("", *(study.title for study in studies), "Difference"):
        _tell(row, "th", heading)
    for figure in FIGURES:
        row = SubElement(table, "tr")
        _tell(row, "td", figure.name)
        for study in studies:
            late = figure.judged and figure.value(study.result) > study.result.slo
            mark, look = ("✗ ", "broken") if late else ("✓ ", "kept") if figure.judged else ("", "plain")
            _tell(row, "td", mark + figure.told(study.result), look=look)
        for other in others:
            _tell(row, "td", figure.difference(first.result, other.result))


def _section(parent: Element, study: Study, picture: Picture, *, name: str) -> None:
    section = SubElement(parent, "section")
    for panel in picture.panels:
        figure = SubElement(section, "figure")
        caption = SubElement(figure, "figcaption")
        _tell(caption, "h3", panel.name)
        _tell(caption, "span", panel.explanation)
        if len(panel.lines) > 1:
            for line in panel.lines:
                _tell(caption, "span", line.name, look=f"key {line.look}")
        plot = SubElement(figure, "div", {"class": "plot"})
        draw_panel(plot, panel, seconds=picture.seconds, name=f"{name}-{panel.name.lower()}")
    if picture.lanes:
        figure = SubElement(section, "figure")
        _tell(SubElement(figure, "figcaption"), "h3", "Alarms, steps and blocked actions")
        for index, lane in enumerate(picture.lanes):
            _tell(figure, "div", lane.label(), look="soft")
            strip = SubElement(figure, "div", {"class": "plot lane"})
            last = lane is picture.lanes[-1]
            draw_lane(strip, lane, seconds=picture.seconds, name=f"{name}-lane-{index}", axis=last)
    _moment(section, picture.seconds)
    moments = moments_that_mattered(study.result, most=12)
    if moments:
        _tell(section, "h3", "What mattered")
        table = SubElement(section, "table", {"class": "moments"})
        for moment in moments:
            row = SubElement(table, "tr")
            _tell(row, "td", moment.when)
            _tell(row, "td", moment.what)


def _moment(parent: Element, seconds: int) -> None:
    """Where the script tells of a moment; of no use without it."""
    moment = SubElement(parent, "div", {"class": "moment", "hidden": "hidden"})
    bounds = {"min": "0", "max": str(seconds), "step": "60", "value": "0"}
    SubElement(moment, "input", {"type": "range", "aria-label": "Moment", **bounds})
    _tell(moment, "output", "Point at a moment or tap it.")


def _tell(parent: Element, tag: str, text: str, *, look: str = "") -> None:
    SubElement(parent, tag, {"class": look} if look else {}).text = readable(text)


def _length(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds % 900 == 0 else f"{seconds:,} s"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"

"""Panels and lanes as SVG that stretches: lines by data, letters and strokes by the screen. Elements escape text."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from fargate_workers_toolkit.reports.picture import (
    PALETTE,
    TIME_AXIS,
    Lane,
    Line,
    Mark,
    Panel,
    readable,
    time_ticks,
)

STYLE = Path(__file__).with_name("picture.css")

PANEL_HEIGHT = 128
LANE_HEIGHT = 14

# Of the height, above the ceiling and below 0: room for a stroke.
ABOVE = 0.06
BELOW = 0.02
# A day to the minute. Of more, the highest of those that share a point is drawn.
MOST_POINTS = 1440


def style() -> str:
    """The styles of everything drawn here. Paper is white, and screens may be dark."""
    light, dark = (
        ":root { " + " ".join(f"--{name}: {colours[scheme]};" for name, colours in PALETTE.items()) + " }"
        for scheme in (0, 1)
    )
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}\n{STYLE.read_text()}"


def draw_panel(
    parent: Element, panel: Panel, *, seconds: int, name: str, points: int = MOST_POINTS, axis: bool = False
) -> Element:
    """The drawing of one panel.

    Args:
        parent: The element that receives it.
        panel: The panel.
        seconds: The length of the time axis, in seconds.
        name: The panel's name in its document.
        points: The most points of a line. Defaults to `MOST_POINTS`.
        axis: Whether the axis has its name. Defaults to False.
    """
    svg = _canvas(parent, PANEL_HEIGHT, panel.name, panel.summary, name=name)
    ceiling = panel.ceiling
    _time_axis(svg, seconds)
    if axis:
        _text(svg, TIME_AXIS, "end", x="100%", y="100%", dy="28")
    for value in (0, ceiling / 2, ceiling):
        y = _height(value, ceiling)
        _line(svg, "grid", x1="0", x2="100%", y1=y, y2=y)
        _text(svg, _short(value), "end", x="0", y=y, dx="-6", dy="4")
    # Its own units: seconds, and values upward.
    high = (1 + ABOVE) * ceiling
    box = f"0 {-high:.6g} {seconds} {(1 + ABOVE + BELOW) * ceiling:.6g}"
    data = _data(svg, box)
    upward = _add(data, "g", transform="scale(1 -1)")
    if panel.level is not None:
        _late_above(data, panel.level, ceiling, name=name)
    for line in panel.lines:
        paint = "" if panel.level is None else f"url(#{name}-late)"
        look = (
            {"class": line.look} if panel.level is None else {"stroke": paint, "fill": paint if line.filled else "none"}
        )
        if line.dashed:
            look["stroke-dasharray"] = "4 3"
        coordinates = " ".join(_points(line, seconds, points))
        _add(upward, "polyline", points=coordinates, **look, **{"data-name": line.name, "data-unit": line.unit})
    if panel.level is not None:
        y = _height(panel.level, ceiling)
        _line(svg, "slo", x1="0", x2="100%", y1=y, y2=y)
        _text(svg, f"SLO {panel.level:g} s", "slo-name end", x="100%", y=y, dy="-5")
    _line(svg, "cross", x1="-9", x2="-9", y1="0", y2="100%")
    return svg


def draw_lane(parent: Element, lane: Lane, *, seconds: int, name: str, axis: bool = False) -> Element:
    """The drawing of one lane of events.

    Args:
        parent: The element that receives it.
        lane: The lane.
        seconds: The length of the time axis, in seconds.
        name: The lane's name in its document.
        axis: Whether the time stands below it. Defaults to False.
    """
    svg = _canvas(parent, LANE_HEIGHT, lane.name, lane.often(), name=name)
    data = _data(svg, f"0 0 {seconds} 2")
    for mark in lane.marks:
        _mark(data, mark)
    if axis:
        _time_axis(svg, seconds)
    _line(svg, "cross", x1="-9", x2="-9", y1="0", y2="100%")
    return svg


def _canvas(parent: Element, height: int, title: str, description: str, *, name: str) -> Element:
    labels = f"{name}-title {name}-description"
    svg = _add(parent, "svg", role="img", width="100%", height=str(height), **{"aria-labelledby": labels})
    _add(svg, "title", id=f"{name}-title").text = readable(title)
    _add(svg, "desc", id=f"{name}-description").text = readable(description)
    return svg


def _data(svg: Element, box: str) -> Element:
    """An element in which data has its own units, however wide the screen is."""
    size = {"width": "100%", "height": "100%", "preserveAspectRatio": "none"}
    return _add(svg, "svg", viewBox=box, **size, **{"class": "data"})


def _time_axis(svg: Element, seconds: int) -> None:
    for second, text in time_ticks(seconds):
        x = _percent(second / seconds)
        _line(svg, "grid", x1=x, x2=x, y1="0", y2="100%")
        edge = "begin" if second == 0 else "end" if second > 0.97 * seconds else "middle"
        _text(svg, text, edge, x=x, y="100%", dy="15")


def _late_above(parent: Element, level: float, ceiling: float, *, name: str) -> None:
    """A paint that changes its colour at the SLO."""
    ends = {"x1": "0", "x2": "0", "y1": "0", "y2": f"{ceiling:.6g}"}
    paint = _add(parent, "linearGradient", id=f"{name}-late", gradientUnits="userSpaceOnUse", **ends)
    for look in ("in-time", "late"):
        _add(paint, "stop", **{"class": look, "offset": _percent(level / ceiling)})


def _mark(parent: Element, mark: Mark) -> None:
    """Steps take half of the height, so that their direction can be seen without colours."""
    y, height = {"out": ("0", ".8"), "in": ("1.2", ".8")}.get(mark.look, ("0", "2"))
    width = str(max(mark.end - mark.begin, 1))
    rect = _add(parent, "rect", x=str(mark.begin), y=y, width=width, height=height, **{"class": mark.look})
    if mark.note:
        _add(rect, "title").text = mark.note


def _points(line: Line, seconds: int, most: int) -> Iterator[str]:
    """Seconds and values, without those that change nothing; the area's edges lie where they cannot be seen."""
    points = list(thinned(line.values, seconds, most))
    margin = seconds // 50 + 1
    before, final = points[0][1], points[-1][1]
    yield f"{-margin} 0 {-margin} {_number(before)}"
    for (second, value), (_, after) in pairwise([*points, (seconds, math.nan)]):
        if line.stepped and value != before:
            yield f"{second} {_number(before)}"
        if not value == before == after:
            yield f"{second} {_number(value)}"
        before = value
    yield f"{seconds + margin} {_number(final)} {seconds + margin} 0"


def thinned(values: Sequence[float], seconds: int, most: int = MOST_POINTS) -> Iterator[tuple[int, float]]:
    """Seconds and values of at most so many points, each the highest of those that share it."""
    width = math.ceil(len(values) / most) or 1
    for begin in range(0, len(values), width):
        yield min(60 * (begin + width), seconds), max(values[begin : begin + width])


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _height(value: float, ceiling: float) -> str:
    return _percent((1 + ABOVE - value / ceiling) / (1 + ABOVE + BELOW))


def _percent(part: float) -> str:
    return f"{100 * part:.4g}%"


def _short(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def _line(parent: Element, look: str, **attributes: str) -> None:
    _add(parent, "line", **{"class": look, **attributes})


def _text(parent: Element, text: str, look: str, **attributes: str) -> None:
    _add(parent, "text", **{"class": look, **attributes}).text = readable(text)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, tag, attributes)

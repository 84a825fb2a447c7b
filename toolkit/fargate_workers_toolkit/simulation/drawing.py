"""Charts as inline SVG: an axis of time, lines over it, and lanes of what happened. Elements escape what they hold."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from fargate_workers_toolkit.simulation.moments import clock

# In units of the drawing, which is as wide as the page: small enough to read its letters on a phone.
WIDTH = 480
LEFT = 46
RIGHT = 8
TOP = 8
HEIGHT = 110
LANE = 18
LONGEST_NAME = 70
# More points than this cannot be told apart; of those that share one the highest is drawn.
MOST_POINTS = 720


class Line(NamedTuple):
    """One value a minute. `look`: its class in the style sheet. `stepped`: whether it jumps from value to value."""

    name: str
    values: Sequence[float]
    look: str
    stepped: bool = False


class Mark(NamedTuple):
    """Something that happened from a second to another. `note`: what is told of it."""

    begin: int
    end: int
    look: str
    note: str


class Lane(NamedTuple):
    name: str
    marks: Sequence[Mark]


def chart(lines: Sequence[Line], *, seconds: int, title: str, level: tuple[float, str] | None = None) -> Element:
    """Lines over time. `level`: a value drawn across all of it, with its name."""
    svg = _canvas(TOP + HEIGHT + 20, title)
    most = max((max(line.values, default=0) for line in lines), default=0)
    if level is not None:
        most = max(most, level[0])
    ceiling = _ceiling(most)
    for part in (0, 0.5, 1):
        y = _y(part * ceiling, ceiling)
        _add(svg, "line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, look="grid")
        _text(svg, _short(part * ceiling), x=LEFT - 4, y=y + 4, look="right")
    _time_axis(svg, seconds, TOP + HEIGHT + 15)
    for line in lines:
        _add(svg, "path", d=_path(line, seconds, ceiling), look=f"line {line.look}")
    if level is not None:
        y = _y(level[0], ceiling)
        _add(svg, "line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, look="line slo")
        _text(svg, level[1], x=WIDTH - RIGHT, y=y - 4 if y > TOP + 12 else y + 12, look="right slo-name")
    return svg


def lanes(rows: Sequence[Lane], *, seconds: int, title: str) -> Element:
    """A row for each lane: its name, and below it what happened in it."""
    svg = _canvas(TOP + 2 * LANE * len(rows) + 20, title)
    for index, row in enumerate(rows):
        y = TOP + 2 * LANE * index
        _text(svg, _shortened(row.name), x=2, y=y + 11, look="left")
        _add(svg, "rect", x=LEFT, y=y + LANE - 1, width=WIDTH - RIGHT - LEFT, height=LANE - 4, look="lane")
        for mark in row.marks:
            begin, end = _x(mark.begin, seconds), _x(mark.end, seconds)
            rect = _add(
                svg, "rect", x=begin, y=y + LANE - 1, width=max(end - begin, 1.5), height=LANE - 4, look=mark.look
            )
            SubElement(rect, "title").text = _printable(mark.note)
    _time_axis(svg, seconds, TOP + 2 * LANE * len(rows) + 13)
    return svg


def _canvas(height: float, title: str) -> Element:
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {height:g}", "role": "img", "xmlns": "http://www.w3.org/2000/svg"})
    SubElement(svg, "title").text = _printable(title)
    return svg


def _time_axis(svg: Element, seconds: int, y: float) -> None:
    parts = 4
    for part in range(parts + 1):
        second = seconds * part // parts
        look = "left" if part == 0 else "right" if part == parts else "middle"
        _text(svg, clock(second), x=_x(second, seconds), y=y, look=look)


def _path(line: Line, seconds: int, ceiling: float) -> str:
    points = [(_x(second, seconds), _y(value, ceiling)) for second, value in _thinned(line.values)]
    if not points:
        return ""
    (x, y), *others = points
    commands = [f"M{x:.1f} {y:.1f}"]
    for x, y in others:
        commands.append(f"H{x:.1f}V{y:.1f}" if line.stepped else f"L{x:.1f} {y:.1f}")
    return "".join(commands)


def _thinned(values: Sequence[float]) -> Iterable[tuple[int, float]]:
    width = math.ceil(len(values) / MOST_POINTS) or 1
    for begin in range(0, len(values), width):
        yield 60 * min(begin + width, len(values)), max(values[begin : begin + width])


def _x(second: float, seconds: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(second / seconds, 1)


def _y(value: float, ceiling: float) -> float:
    return TOP + HEIGHT * (1 - value / ceiling)


def _ceiling(most: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1
    power = 10 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _short(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def _add(svg: Element, tag: str, *, look: str, **attributes: str | float) -> Element:
    values = {name: value if isinstance(value, str) else f"{value:.1f}" for name, value in attributes.items()}
    return SubElement(svg, tag, {**values, "class": look})


def _text(svg: Element, text: str, *, x: float, y: float, look: str) -> None:
    _add(svg, "text", x=x, y=y, look=look).text = _printable(text)


def _shortened(name: str) -> str:
    """What fits the width: the beginning and the end, which says what happened."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _printable(text: str) -> str:
    """Without characters that no document may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

"""Pictures as one SVG file, dark where the screen is. The same pictures give the same text."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from fargate_workers_toolkit.reports.drawing import LANE_HEIGHT, PANEL_HEIGHT, STYLE, draw_lane, draw_panel
from fargate_workers_toolkit.reports.picture import PALETTE, Panel, Picture, merged, shortened

# In pixels. A picture has no room for as many points as a page that names each.
WIDTH = 760
LEFT, RIGHT = 52, 20
ROW = 22
AXIS = 30
POINTS = 720

COLOUR = re.compile(r"var\(--(\w+)\)")


def plot_as_svg(drawn: Sequence[Picture]) -> bytes:
    """One picture, or several side by side."""
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg")
    SubElement(svg, "style").text = f"{_style(0)}@media (prefers-color-scheme: dark) {{\n{_style(1)}}}\n"
    SubElement(svg, "rect", {"class": "paper", "width": "100%", "height": "100%"})
    height = max(_column(svg, picture, x=WIDTH * index, name=f"plot-{index}") for index, picture in enumerate(drawn))
    width = WIDTH * len(drawn)
    for name, value in (("viewBox", f"0 0 {width} {height}"), ("width", str(width)), ("height", str(height))):
        svg.set(name, value)
    return f"{tostring(svg, encoding='unicode')}\n".encode()


def _style(scheme: int) -> str:
    """The styles with colours in place of variables, which only browsers know."""
    return COLOUR.sub(lambda name: PALETTE[name[1]][scheme], STYLE.read_text())


def _column(svg: Element, picture: Picture, *, x: int, name: str) -> int:
    """One picture; returns where it ends."""
    y = 4 * ROW
    _name(svg, "heading", x, y - 56, shortened(picture.title, most=64))
    mark, look = ("✓", "verdict-kept") if picture.kept else ("✗", "verdict-broken")
    _name(svg, look, x, y - 34, f"{mark} {shortened(picture.verdict, most=100)}")
    _name(svg, "lane", x, y - 14, picture.figures)
    for panel in picture.panels:
        _name(svg, "name", x, y + 14, panel.name)
        _keys(svg, x + WIDTH - RIGHT, y + 14, panel)
        drawing = draw_panel(
            svg,
            panel,
            seconds=picture.seconds,
            name=f"{name}-{panel.name.lower()}",
            points=POINTS,
            axis=panel is picture.panels[-1],
        )
        _place(drawing, x, y + ROW)
        y += ROW + PANEL_HEIGHT + AXIS
    for index, lane in enumerate(picture.lanes):
        _name(svg, "lane", x, y + 14, shortened(lane.label(), most=90))
        last = lane is picture.lanes[-1]
        # Nobody can point at a picture, so what looks the same needs no notes.
        drawn = lane._replace(marks=merged(lane.marks, near=picture.seconds // POINTS))
        drawing = draw_lane(svg, drawn, seconds=picture.seconds, name=f"{name}-lane-{index}", axis=last)
        _place(drawing, x, y + ROW)
        y += ROW + LANE_HEIGHT + (AXIS if last else 0)
    return y


def _place(drawing: Element, x: int, y: int) -> None:
    for name, value in (("x", x + LEFT), ("y", y), ("width", WIDTH - LEFT - RIGHT)):
        drawing.set(name, str(value))


def _name(svg: Element, look: str, x: int, y: int, text: str) -> None:
    SubElement(svg, "text", {"class": look, "x": str(x + 12), "y": str(y)}).text = text


def _keys(svg: Element, x: int, y: int, panel: Panel) -> None:
    """The keys at the right: what the panel shows, or the name of each line in its colour."""
    text = SubElement(svg, "text", {"class": "end", "x": str(x), "y": str(y)})
    text.text = panel.explanation
    if len(panel.lines) > 1:
        for line in panel.lines:
            sign = SubElement(text, "tspan", {"class": line.look})
            sign.text = f"{'■' if line.filled else '━'} "
            sign.tail = f"{line.name}\u2003"

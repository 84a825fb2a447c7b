# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# matplotlib leaves its keyword arguments without types.
"""Pictures as one PNG file, by matplotlib."""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fargate_workers_toolkit.reports.drawing import MOST_POINTS, thinned
from fargate_workers_toolkit.reports.picture import (
    PALETTE,
    TIME_AXIS,
    Lane,
    Panel,
    Picture,
    merged,
    shortened,
    time_ticks,
)

# In inches; dots an inch.
COLUMN = 8.0
PANEL = 1.7
LANE = 0.42
RESOLUTION = 160

# In points.
SMALL, NAME, HEADING = 8, 9, 12


def plot_as_png(drawn: Sequence[Picture]) -> bytes:
    """One picture, or several side by side."""
    # Names are no formulas.
    with rc_context({"text.parse_math": False}):
        return _drawn(drawn)


def _drawn(drawn: Sequence[Picture]) -> bytes:
    rows = max(len(picture.lanes) for picture in drawn)
    heights = [*(PANEL for _ in drawn[0].panels), *([LANE * rows] if rows else [])]
    # The title stands above all that is laid out.
    engine = ConstrainedLayoutEngine(rect=(0, 0, 1, 0.98))
    figure = Figure(figsize=(COLUMN * len(drawn), sum(heights) + 1.0), dpi=RESOLUTION, layout=engine)
    grid = figure.subplots(len(heights), len(drawn), squeeze=False, height_ratios=heights)
    for column, picture in enumerate(drawn):
        all_axes: list[Axes] = list(grid[:, column])
        all_axes[0].annotate(
            shortened(picture.title, most=64),
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 62),
            textcoords="offset points",
            fontsize=HEADING,
            fontweight="bold",
        )
        mark, look = ("✓", "kept") if picture.kept else ("✗", "late")
        lines = [(f"{mark} {shortened(picture.verdict, most=100)}", look, 44), (picture.figures, "soft", 28)]
        for text, colour, height in lines:
            all_axes[0].annotate(
                text,
                (0, 1),
                xycoords="axes fraction",
                xytext=(0, height),
                textcoords="offset points",
                fontsize=NAME,
                color=_colour(colour),
            )
        for axes, panel in zip(all_axes, picture.panels, strict=False):
            _draw_panel(axes, panel, seconds=picture.seconds)
        if rows:
            _draw_lanes(all_axes[-1], picture.lanes, rows=rows, near=picture.seconds // MOST_POINTS)
        ticks = time_ticks(picture.seconds)
        for axes in all_axes:
            axes.set_xlim(0, picture.seconds)
            axes.set_xticks([second for second, _ in ticks], [name for _, name in ticks])
            axes.tick_params(labelsize=SMALL, length=0, pad=5, colors=_colour("soft"))
            # Lanes have words where lines would cross them.
            if not rows or axes is not all_axes[-1]:
                axes.grid(color=_colour("rule"), linewidth=0.6)
            axes.set_axisbelow(True)
            for spine in axes.spines.values():
                spine.set_visible(False)
        all_axes[len(picture.panels) - 1].set_xlabel(TIME_AXIS, fontsize=SMALL, color=_colour("soft"), loc="right")
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_panel(axes: Axes, panel: Panel, *, seconds: int) -> None:
    axes.set_ylim(0, 1.05 * panel.ceiling)
    axes.set_yticks([0, panel.ceiling / 2, panel.ceiling])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_title(panel.name, loc="left", fontsize=NAME, fontweight="bold")
    if panel.explanation and len(panel.lines) == 1:
        axes.set_title(panel.explanation, loc="right", fontsize=SMALL, color=_colour("soft"))
    for line in panel.lines:
        moments, values = zip(*thinned(line.values, seconds), strict=True)
        colour, step = _colour(line.look), "post" if line.stepped else None
        if line.filled:
            axes.fill_between(moments, values, color=colour, alpha=0.3, linewidth=0, step=step, label=line.name)
        if not (line.filled and line.stepped):
            look: dict[str, Any] = {"linewidth": 1, "drawstyle": "default" if step is None else "steps-post"}
            look["linestyle"] = "--" if line.dashed else "-"
            axes.plot(moments, values, color=colour, label="" if line.filled else line.name, **look)
            if panel.level is not None:
                level = panel.level
                above = [value if value > level else math.nan for value in values]
                axes.plot(moments, above, color=_colour("late"), **look)
    if panel.level is not None:
        late = _colour("late")
        axes.axhline(panel.level, color=late, linewidth=1.2, linestyle=(0, (5, 3)))
        name = f"SLO {panel.level:g} s"
        # A gap of a hundredth of the panel.
        height = panel.level + panel.ceiling / 100
        axes.text(seconds, height, name, ha="right", va="bottom", color=late, fontsize=SMALL, fontweight="bold")
    if len(panel.lines) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(panel.lines), fontsize=SMALL, frameon=False)


def _draw_lanes(axes: Axes, lanes: Sequence[Lane], *, rows: int, near: int) -> None:
    axes.set_ylim(rows, 0)
    axes.set_yticks([])
    for row, lane in enumerate(lanes):
        axes.text(0, row + 0.4, shortened(lane.label(), most=90), fontsize=SMALL, color=_colour("soft"))
        marks = merged(lane.marks, near=near)
        for look in dict.fromkeys(mark.look for mark in marks):
            y, height = {"out": (0.5, 0.2), "in": (0.75, 0.2)}.get(look, (0.5, 0.45))
            spans = [(mark.begin, mark.end - mark.begin) for mark in marks if mark.look == look]
            axes.broken_barh(spans, (row + y, height), color=_colour(look), linewidth=0.8)


def _colour(name: str) -> str:
    return PALETTE[name][0]

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# matplotlib leaves its keyword arguments without types.
"""Pictures as one PNG file, by matplotlib."""

from collections.abc import Sequence
from io import BytesIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fargate_workers_toolkit.simulation.pictures.picture import PALETTE, Lane, Panel, Picture, shortened, time_ticks

# In inches; dots an inch.
COLUMN = 8.0
PANEL = 1.7
LANE = 0.42
RESOLUTION = 160

# In points.
SMALL, NAME, HEADING = 8, 9, 12


def plot_as_png(drawn: Sequence[Picture]) -> bytes:
    """One picture, or several beside each other."""
    # Names are no formulas.
    with rc_context({"text.parse_math": False}):
        return _drawn(drawn)


def _drawn(drawn: Sequence[Picture]) -> bytes:
    rows = max(len(picture.lanes) for picture in drawn)
    heights = [*(PANEL for _ in drawn[0].panels), *([LANE * rows] if rows else [])]
    figure = Figure(figsize=(COLUMN * len(drawn), sum(heights) + 0.9), dpi=RESOLUTION, layout="constrained")
    grid = figure.subplots(len(heights), len(drawn), squeeze=False, height_ratios=heights)
    for column, picture in enumerate(drawn):
        all_axes: list[Axes] = list(grid[:, column])
        all_axes[0].annotate(
            shortened(picture.title, most=64),
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 28),
            textcoords="offset points",
            fontsize=HEADING,
            fontweight="bold",
        )
        for axes, panel in zip(all_axes, picture.panels, strict=False):
            _draw_panel(axes, panel, seconds=picture.seconds)
        if rows:
            _draw_lanes(all_axes[-1], picture.lanes, rows=rows)
        ticks = time_ticks(picture.seconds)
        for axes in all_axes:
            axes.set_xlim(0, picture.seconds)
            axes.set_xticks([second for second, _ in ticks], [name for _, name in ticks])
            axes.tick_params(labelsize=SMALL, length=0, pad=5, colors=_colour("soft"))
            axes.grid(color=_colour("rule"), linewidth=0.6)
            axes.set_axisbelow(True)
            for spine in axes.spines.values():
                spine.set_visible(False)
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_panel(axes: Axes, panel: Panel, *, seconds: int) -> None:
    axes.set_ylim(0, 1.05 * panel.ceiling)
    axes.set_yticks([0, panel.ceiling / 2, panel.ceiling])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_title(panel.name, loc="left", fontsize=NAME, fontweight="bold")
    if panel.explanation:
        axes.set_title(panel.explanation, loc="right", fontsize=SMALL, color=_colour("soft"))
    for line in panel.lines:
        moments = [min(60 * (minute + 1), seconds) for minute in range(len(line.values))]
        colour, step = _colour(line.look), "post" if line.stepped else None
        if line.filled:
            axes.fill_between(moments, line.values, color=colour, alpha=0.3, linewidth=0, step=step, label=line.name)
        if not (line.filled and line.stepped):
            style = "default" if step is None else "steps-post"
            axes.plot(moments, line.values, color=colour, linewidth=1, drawstyle=style, label=line.name)
    if panel.level is not None:
        late = _colour("late")
        axes.axhline(panel.level, color=late, linewidth=1.2, linestyle=(0, (5, 3)))
        name = f"SLO {panel.level:g} s"
        # A gap of a hundredth of the panel.
        height = panel.level + panel.ceiling / 100
        axes.text(seconds, height, name, ha="right", va="bottom", color=late, fontsize=SMALL, fontweight="bold")
    if len(panel.lines) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(panel.lines), fontsize=SMALL, frameon=False)


def _draw_lanes(axes: Axes, lanes: Sequence[Lane], *, rows: int) -> None:
    axes.set_ylim(rows, 0)
    axes.set_yticks([])
    for row, lane in enumerate(lanes):
        axes.text(0, row + 0.4, shortened(lane.label(), most=90), fontsize=SMALL, color=_colour("soft"))
        for mark in lane.marks:
            y, height = {"out": (0.5, 0.2), "in": (0.75, 0.2)}.get(mark.look, (0.5, 0.45))
            spans = [(mark.begin, mark.end - mark.begin)]
            axes.broken_barh(spans, (row + y, height), color=_colour(mark.look), linewidth=0.8)


def _colour(name: str) -> str:
    return PALETTE[name][0]

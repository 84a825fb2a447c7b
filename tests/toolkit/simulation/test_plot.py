"""Plots: the page's own picture, as SVG or as PNG."""

import struct
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.reports.drawing import MOST_POINTS
from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.plot import plot
from fargate_workers_toolkit.simulation.track import Event, Minutes
from tests.toolkit.simulation.services import fixed
from tests.toolkit.simulation.studies import renamed, study
from tests.toolkit.simulation.templates import template, written

SVG = "{http://www.w3.org/2000/svg}"


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def texts(svg: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_svg_is_well_formed_and_names_its_panels_and_lanes() -> None:
    told = texts(plot([study()], suffix=".svg"))
    assert {"Backlog", "Age", "Tasks", "SLO 60 s", "Article under waves"} <= set(told)
    assert "Deep in ALARM, once" in told


def test_the_same_study_gives_the_same_svg() -> None:
    assert plot([study()], suffix=".svg") == plot([study()], suffix=".svg")


def test_marks_that_cannot_be_told_apart_are_one() -> None:
    steps = [Event(60 * minute, "scaled", "Out", f"{minute} -> {minute + 1}") for minute in range(600, 700)]
    late = [Event(80_000, "scaled", "Out", "101 -> 102"), Event(80_000, "scaled", "In", "102 -> 100")]
    drawn = study(fixed(40))
    result = replace(drawn.result, seconds=86_400, events=[*steps, *late])
    svg = ElementTree.fromstring(plot([replace(drawn, result=result)], suffix=".svg"))
    marks = [(rect.get("class"), rect.get("x"), rect.get("width")) for rect in svg.iter(f"{SVG}rect") if rect.get("x")]
    assert marks == [("out", "36000", "5940"), ("out", "80000", "1"), ("in", "80000", "1")]


def test_two_studies_lie_beside_each_other() -> None:
    one = ElementTree.fromstring(plot([study()], suffix=".svg"))
    two = ElementTree.fromstring(plot([study(title="before"), study(title="after")], suffix=".svg"))
    assert int(two.get("width", "0")) == 2 * int(one.get("width", "0"))
    assert two.get("height") == one.get("height")


@pytest.mark.parametrize("suffix", [".png", ".PNG"])
def test_a_png_has_four_panels_and_as_many_columns_as_studies(suffix: str) -> None:
    width, height = size(plot([study()], suffix=suffix))
    assert size(plot([study(title="before"), study(title="after")], suffix=suffix)) == (2 * width, height)
    never_scaled = size(plot([study(fixed(40))], suffix=suffix))
    assert (width, height) > never_scaled


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("name", ["$x_{$", "<&>", "\x00\x1b", "OrdersBacklogPerTask" * 20])
def test_any_name_can_be_drawn(name: str, suffix: str) -> None:
    assert plot([study(renamed(name), title=name, load=name)], suffix=suffix)


@pytest.mark.parametrize("name", ["day.pdf", "day"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path) -> None:
    result = invoke(tmp_path, name)
    assert result.exit_code == 2
    assert result.stderr.startswith("A plot is a .png or a .svg file, not a ")
    assert result.stderr.count("\n") == 1


def test_a_png_without_matplotlib_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "fargate_workers_toolkit.reports.plot_as_png", raising=False)
    with pytest.raises(SimulationError, match=r"needs matplotlib: install fargate-workers\[plot\], or ask for a .svg"):
        plot([study()], suffix=".png")
    assert plot([study()], suffix=".svg")


def test_the_command_writes_the_plot(tmp_path: Path) -> None:
    for name in ("day.png", "day.svg"):
        result = invoke(tmp_path, name)
        assert result.exit_code == 0, result.output
        assert (tmp_path / name).stat().st_size > 10_000
    refused = invoke(tmp_path, "absent/day.svg")
    assert refused.exit_code == 2
    assert "day.svg cannot be written: No such file or directory." in refused.stderr


def invoke(tmp_path: Path, name: str) -> Result:
    path = str(written(tmp_path, template()))
    return CliRunner().invoke(app, ["simulate", path, "--rate", "3", "--slo", "300", "--plot", str(tmp_path / name)])


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """How many points each call of a method of matplotlib's axes gets."""
    # Not above: it takes half a second, in each of the processes that collect tests.
    from matplotlib.axes import Axes

    counts: list[int] = []
    draw: Any = getattr(Axes, name)

    def count(self: Any, points: Sequence[Any], *rest: Any, **more: Any) -> Any:
        counts.append(len(points))
        return draw(self, points, *rest, **more)

    monkeypatch.setattr(Axes, name, count)
    return counts


def test_a_year_is_drawn_by_no_more_points_and_marks_than_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has the highest of the minutes that share a point, and each lane one mark for those that do."""
    drawn, minutes = study(fixed(40)), 365 * 1440
    steps = [Event(60 * minute, "scaled", "Out", "1 -> 2") for minute in range(0, minutes, 2)]
    series = [float(minute % 1000) for minute in range(minutes)]
    whole = [minute % 1000 for minute in range(minutes)]
    long = replace(
        drawn.result,
        seconds=60 * minutes,
        events=steps,
        minutes=Minutes(
            desired=whole, running=whole, visible=series, in_flight=series, oldest_age=series, retried_age=series
        ),
    )
    studies = [replace(drawn, result=long)]
    counts = {name: counted(monkeypatch, name) for name in ("plot", "broken_barh")}
    plot(studies, suffix=".png")
    assert 0 < max(counts["plot"]) <= MOST_POINTS
    assert 0 < sum(counts["broken_barh"]) <= MOST_POINTS
    assert page(studies).count("<rect") <= MOST_POINTS

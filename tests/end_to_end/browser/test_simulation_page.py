"""The page of a simulation in a real browser: complete, readable on a phone and in the dark, and alone in the world."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.plot import plot
from fargate_workers_toolkit.reports.study import Study
from tests.end_to_end.browser.conftest import Screen
from tests.toolkit.simulation.services import fixed
from tests.toolkit.simulation.studies import renamed, study

SEEN = Path(__file__).with_name("seen.js").read_text()
PHONE, SMALL_PHONE, DESKTOP = 390, 320, 1280

# https://www.w3.org/TR/WCAG22/#contrast-minimum and #non-text-contrast
TEXT_CONTRAST, LINE_CONTRAST = 4.5, 3

CASES = {
    "one": lambda: [study()],
    "two": lambda: [study(title="cdk.out"), study(fixed(40), title="../main/cdk.out")],
    "long names": lambda: [study(renamed("ProductionOrderPipelineWorkers" * 4), load="a-load-of-a-very-long-name" * 4)],
}


@pytest.fixture(params=CASES)
def studies(request: pytest.FixtureRequest) -> list[Study]:
    return CASES[request.param]()


def written(folder: Path, studies: Sequence[Study]) -> Path:
    path = folder / "day.html"
    path.write_text(page(studies), encoding="utf-8")
    return path


def seen(screen: Screen, what: str) -> list[dict[str, Any]]:
    return screen.run(f"{SEEN}; return {what}()")


def names_of_images(screen: Screen) -> list[str]:
    """What a screen reader calls them."""
    nodes = screen.command("Accessibility.getFullAXTree")["nodes"]
    return [node["name"]["value"] for node in nodes if node["role"]["value"] in ("image", "img")]


def box_of(screen: Screen, selector: str) -> dict[str, float]:
    script = "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return b.toJSON()"
    return screen.run(script, selector)


def told(screen: Screen) -> str:
    return screen.run("return document.querySelector('output').innerText")


def overlapping(boxes: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of texts that share more than a pixel. What floats above the page covers it on purpose."""
    fixed_boxes = [box for box in boxes if not box["floats"]]
    return [
        (first["text"], second["text"])
        for index, first in enumerate(fixed_boxes)
        for second in fixed_boxes[index + 1 :]
        if min(first["right"], second["right"]) - max(first["left"], second["left"]) > 1
        and min(first["bottom"], second["bottom"]) - max(first["top"], second["top"]) > 3
    ]


def test_it_asks_nobody_for_anything_and_has_no_complaint(screen: Screen, tmp_path: Path) -> None:
    path = written(tmp_path, [study()])
    screen.open(path)
    assert screen.run("return document.title") == "Article under waves"
    assert screen.requests() == [path.as_uri()]
    assert screen.complaints() == []


def test_it_runs_no_script_but_its_own(screen: Screen, tmp_path: Path) -> None:
    path = written(tmp_path, [study()])
    path.write_text(path.read_text().replace("</main>", "<script>document.title = 'wicked'</script></main>"))
    screen.open(path)
    assert screen.run("return document.title") == "Article under waves"
    assert any("Content Security Policy" in complaint for complaint in screen.complaints())


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_panel_is_there_and_its_lines_fill_it(screen: Screen, tmp_path: Path, width: int) -> None:
    screen.open(written(tmp_path, [study()]), width=width)
    script = """
      return Array.from(document.querySelectorAll("figure"), figure => ({
        name: figure.querySelector("h3").textContent,
        plots: Array.from(figure.querySelectorAll(".plot > svg"), svg => svg.getBoundingClientRect().toJSON()),
        lines: Array.from(figure.querySelectorAll("polyline"), line => line.getBoundingClientRect().toJSON()),
        marks: Array.from(figure.querySelectorAll("rect"), rect => rect.getBoundingClientRect().toJSON()),
      }))"""
    figures = screen.run(script)
    names = ["Backlog", "Age", "Tasks", "Alarms, steps and blocked actions"]
    assert [(figure["name"], len(figure["lines"])) for figure in figures] == list(zip(names, (1, 1, 3, 0), strict=True))
    for figure in figures:
        for plot_box in figure["plots"]:
            assert plot_box["width"] > 0.8 * min(width, 1000)
            assert plot_box["height"] >= 14
        for line in figure["lines"]:
            (plot_box,) = figure["plots"]
            assert line["width"] >= plot_box["width"]
            assert 0.25 * plot_box["height"] < line["height"] < plot_box["height"]
        for mark in figure["marks"]:
            assert mark["left"] >= figure["plots"][0]["left"] - 1
            assert mark["right"] <= figure["plots"][0]["right"] + 1
    assert len(figures[3]["marks"]) > 10


def test_the_slo_line_lies_at_its_age(screen: Screen, tmp_path: Path) -> None:
    screen.open(written(tmp_path, [study(fixed(40), slo=300)]), width=PHONE)
    script = """
      const svg = document.querySelectorAll(".plot > svg")[1]
      const middle = element => { const { top, bottom } = element.getBoundingClientRect(); return (top + bottom) / 2 }
      const axis = Array.from(svg.querySelectorAll("text.end"), text => [text.textContent, middle(text)])
      return [Object.fromEntries(axis), middle(svg.querySelector(".slo"))]"""
    axis, level = screen.run(script)
    assert {"0", "200", "400"} <= set(axis)
    assert level == pytest.approx((axis["200"] + axis["400"]) / 2, abs=1)
    assert axis["400"] < level < axis["200"] < axis["0"]


@pytest.mark.parametrize("width", [SMALL_PHONE, PHONE, DESKTOP])
def test_it_fits_the_screen_and_no_text_lies_on_another(
    screen: Screen, tmp_path: Path, studies: list[Study], width: int
) -> None:
    screen.open(written(tmp_path, studies), width=width)
    assert screen.run("return document.documentElement.scrollWidth") <= width
    boxes = seen(screen, "boxes")
    assert len(boxes) > 50
    assert [box for box in boxes if box["left"] < 0 or box["right"] > width] == []
    assert overlapping(boxes) == []


def test_a_tap_tells_of_its_moment(screen: Screen, tmp_path: Path) -> None:
    drawn = study()
    screen.open(written(tmp_path, [drawn]), width=PHONE, height=844)
    assert told(screen) == "Point at a moment or tap it."
    screen.run("document.querySelector('.plot').scrollIntoView({ block: 'center' })")
    plot_box = box_of(screen, ".plot")
    # A minute is six pixels wide.
    for minute in (30, 45):
        x = plot_box["left"] + plot_box["width"] * minute / 60
        screen.tap(x, plot_box["top"] + plot_box["height"] / 2)
        minutes = drawn.result.minutes
        assert told(screen).startswith(f"00:{minute}")
        assert f"backlog {minutes.visible[minute - 1]:,.0f}" in told(screen)
        assert f"oldest {minutes.oldest_age[minute - 1]:,.0f} s" in told(screen)
        assert f"running {minutes.running[minute - 1]}" in told(screen)
        assert f"desired {minutes.desired[minute - 1]}" in told(screen)
        cross = box_of(screen, ".cross")
        assert cross["left"] + cross["width"] / 2 == pytest.approx(x, abs=1.5)
    assert "Deep in ALARM" in told(screen)


def test_a_pointer_and_the_arrow_keys_tell_too(screen: Screen, tmp_path: Path) -> None:
    screen.open(written(tmp_path, [study()]))
    plot_box = box_of(screen, ".plot")
    screen.point(plot_box["left"] + plot_box["width"] / 2, plot_box["top"] + 20)
    assert told(screen).startswith("00:30")
    screen.run("document.querySelector('input').focus()")
    screen.press("ArrowRight")
    assert told(screen).startswith("00:31")
    assert screen.run("return document.querySelector('input').getAttribute('aria-valuetext')") == "00:31"


def test_the_steps_and_reasons_of_a_moment_are_told(screen: Screen, tmp_path: Path) -> None:
    drawn = study()
    screen.open(written(tmp_path, [drawn]))
    change = next(event for event in drawn.result.events if event.kind == "scaled")
    script = "const s = document.querySelector('input'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    screen.run(script, change.second)
    assert f"{change.name}: {change.detail.replace('->', '→')}" in told(screen)
    blocked = next(event for event in drawn.result.events if event.kind == "blocked" and event.detail == "maximum")
    screen.run(script, blocked.second)
    assert f"{blocked.name} is at the most tasks allowed" in told(screen)


@pytest.mark.parametrize("dark", [False, True])
def test_texts_and_lines_stand_out_in_the_light_and_in_the_dark(
    screen: Screen, tmp_path: Path, studies: list[Study], *, dark: bool
) -> None:
    screen.open(written(tmp_path, studies), dark=dark)
    paper = screen.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(15, 19, 24)" if dark else "rgb(255, 255, 255)")
    for contrasts, least in (("textContrasts", TEXT_CONTRAST), ("strokeContrasts", LINE_CONTRAST)):
        found = seen(screen, contrasts)
        assert found
        assert [each for each in found if each["contrast"] < least] == []


def test_it_prints_on_white_paper_without_what_only_a_screen_can_do(screen: Screen, tmp_path: Path) -> None:
    screen.open(written(tmp_path, [study()]), dark=True, paper=True)
    assert screen.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not screen.run("return document.querySelector('.moment').checkVisibility()")
    assert [each for each in seen(screen, "textContrasts") if each["contrast"] < TEXT_CONTRAST] == []


def test_every_drawing_has_a_name_and_a_description_for_those_who_cannot_see_it(screen: Screen, tmp_path: Path) -> None:
    screen.open(written(tmp_path, [study(title="before"), study(title="after")]))
    drawings = screen.run("return document.querySelectorAll('svg[role=img]').length")
    # The tree of what can be told grows after the page has loaded.
    screen.until(lambda: len(names_of_images(screen)) >= drawings)
    names = names_of_images(screen)
    assert len(names) == drawings >= 12
    assert any(name.startswith("Age At most ") and "above the SLO of 60 s" in name for name in names)
    ids = screen.run("return Array.from(document.querySelectorAll('[id]'), each => each.id)")
    assert len(ids) == len(set(ids))
    levels = screen.run("return Array.from(document.querySelectorAll('h1, h2, h3'), each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("dark", [False, True])
def test_a_plot_as_svg_has_readable_texts_within_its_frame(
    screen: Screen, tmp_path: Path, studies: list[Study], *, dark: bool
) -> None:
    path = tmp_path / "day.svg"
    path.write_bytes(plot(studies, suffix=".svg"))
    screen.open(path, width=1600, height=1200, dark=dark)
    width = screen.run("return document.documentElement.width.baseVal.value")
    boxes = seen(screen, "boxes")
    assert len(boxes) > 20
    assert [box for box in boxes if box["left"] < 0 or box["right"] > width] == []
    assert overlapping(boxes) == []
    # The squares that name a colour need no more than a line does.
    faint = [each for each in seen(screen, "textContrasts") if each["contrast"] < TEXT_CONTRAST]
    assert {each["text"] for each in faint} <= {"■ "}

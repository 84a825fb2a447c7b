"""The page: one well-formed file that shows what happened, whatever things are called."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.simulation.drawing import MOST_POINTS, Lane, Line, Mark, chart, lanes
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.page import page
from fargate_workers_toolkit.simulation.simulate import simulate
from fargate_workers_toolkit.simulation.study import Study
from tests.simulation.services import article, fixed
from tests.simulation.templates import template, written

WICKED = "</script><script>alert('&\"1\"')</script>\x00\x1b"
VOID = {"meta"}


class Reader(HTMLParser):
    """Follows every tag to its end; `open` is empty after a whole document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def study(
    service: ScaledService | None = None, *, title: str = "cdk.out", load: str = "waves", slo: float = 60
) -> Study:
    work = Load(name=load, arrivals=np.repeat(np.array([5, 60, 5], dtype=np.int64), 1200), work_seconds=0.5)
    service = service or article(bounds=(1, 12))
    return Study(title=title, service=service, load=work, result=simulate(service, work, slo=slo))


def drawings(document: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", document, flags=re.DOTALL)]


def texts(svg: ElementTree.Element) -> list[str]:
    return [text for element in svg.iter() if (text := element.text)]


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    document = page([study()])
    reader = Reader(document)
    assert reader.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert "://" not in document.replace("http://www.w3.org/2000/svg", "")
    assert 'name="viewport"' in document


def test_it_draws_backlog_age_tasks_and_what_happened() -> None:
    backlog, age, tasks, happened = drawings(page([study()]))
    assert "Backlog" in texts(backlog)
    assert "SLO 60 s" in texts(age)
    paths = [element.get("class") for element in tasks.iter() if element.tag.endswith("path")]
    assert paths == ["line third", "line second", "line first"]
    told = texts(happened)
    assert {"Deep in ALARM", "Empty in ALARM", "Out is at the most tasks allowed"} < set(told)
    assert any(re.fullmatch(r"00:\d\d Out: \d+ -> \d+", text) for text in told)


def test_names_are_told_as_they_are_and_never_become_markup() -> None:
    service = article(bounds=(1, 12))
    wicked = type(service)(
        name=WICKED,
        bounds=service.bounds,
        initial_tasks=service.initial_tasks,
        steps={WICKED: service.steps["Out"]},
        alarms=[
            type(alarm)(
                name=WICKED,
                query=alarm.query,
                comparison=alarm.comparison,
                threshold=alarm.threshold,
                policies=[WICKED],
            )
            for alarm in service.alarms[:1]
        ],
    )
    document = page([study(wicked, load=WICKED, title=WICKED), study(title=WICKED)])
    reader = Reader(document)
    assert reader.open == []
    assert "script" not in reader.tags
    assert "\x00" not in document
    assert "\x1b" not in document
    assert "<script>alert('&\"1\"')" in "".join(reader.text)
    assert len(drawings(document)) == 8


def test_two_studies_are_told_side_by_side() -> None:
    document = page([study(title="before"), study(fixed(40), title="after")])
    told = Reader(document).text
    assert [told.count(name) for name in ("before", "after", "Difference")] == [2, 2, 1]


def test_a_service_that_never_scales_has_no_lanes() -> None:
    assert len(drawings(page([study(fixed(40))]))) == 3


@pytest.mark.parametrize("values", [[], [0.0], [0.0] * 5, [3.0, 1e12]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    svg = chart([Line("any", values, "first")], seconds=max(60 * len(values), 60), title="Any")
    numbers = re.findall(r"-?[\d.]+", " ".join(element.get("d", "") for element in svg.iter()))
    assert all(0 <= float(number) <= 480 for number in numbers)


def test_long_loads_keep_their_peaks_in_as_many_points_as_can_be_told_apart() -> None:
    values = [0.0] * 50_000
    values[31_234] = 100
    svg = chart([Line("spike", values, "first")], seconds=60 * len(values), title="Spike")
    path = next(element.get("d", "") for element in svg.iter("path"))
    assert path.count("L") < MOST_POINTS
    assert " 8.0" in path


def test_a_short_mark_can_still_be_seen() -> None:
    svg = lanes([Lane("Steps", [Mark(60, 60, "out", "1 -> 2")])], seconds=86_400, title="Lanes")
    widths = [float(element.get("width", 0)) for element in svg.iter("rect")]
    assert min(widths) >= 1.5


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    arguments = ["simulate", str(written(tmp_path, template())), "--rate", "3", "--slo", "300", "--page", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert Reader(out.read_text(encoding="utf-8")).open == []
    beside = [*arguments[:-1], str(tmp_path / "absent" / "out.html")]
    refused = CliRunner().invoke(app, beside)
    assert refused.exit_code == 2
    assert "The page cannot be written to" in refused.stderr

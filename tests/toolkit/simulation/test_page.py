"""The page: one well-formed file that shows what happened, whatever things are called."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.reports.drawing import MOST_POINTS, draw_lane, draw_panel
from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.picture import Lane, Line, Mark, Panel
from fargate_workers_toolkit.simulation.figures import FIGURES
from tests.toolkit.simulation.services import fixed
from tests.toolkit.simulation.studies import renamed, study
from tests.toolkit.simulation.templates import template, written

WICKED = "</script><script>alert('&\"1\"')</script>\x00\x1b"
VOID = {"meta", "input"}


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


def drawings(document: str) -> list[ElementTree.Element]:
    return [
        ElementTree.fromstring(svg.removesuffix("</div>"))
        for svg in re.findall(r'<svg role="img".*?</svg></div>', document)
    ]


def drawn(values: list[float], *, seconds: int) -> ElementTree.Element:
    panel = Panel("Any", "", [Line("any", "backlog", values)], ceiling=max(*values, 1), summary="")
    return draw_panel(ElementTree.Element("div"), panel, seconds=seconds, name="any")


def texts(svg: ElementTree.Element) -> list[str]:
    return [text for element in svg.iter() if (text := element.text)]


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    document = page([study()])
    reader = Reader(document)
    assert reader.open == []
    assert not {"link", "img", "iframe", "object"} & set(reader.tags)
    assert "://" not in document
    assert 'name="viewport"' in document


def test_it_lets_run_what_it_brings_and_nothing_else() -> None:
    document = page([study()])
    policy = re.search(r"default-src 'none'; style-src '(.+?)'; script-src '(.+?)'", document)
    assert policy
    for tag, allowed in zip(("style", "script"), policy.groups(), strict=True):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", document, flags=re.DOTALL)
        assert f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}" == allowed
    assert " style=" not in document
    assert " on" not in re.sub(r"<(style|script)>.*?</\1>|>[^<]+<", "><", document, flags=re.DOTALL)


def test_it_begins_with_a_verdict_and_the_figures_a_team_asks_for() -> None:
    late, kept = study(), study(fixed(40))
    assert f"✗ {late.result.missed:,.0f} messages, {late.result.missed_percent:.2f} %, are older" in page([late])
    assert "✓ No message is older than the SLO of 60 s, and none is lost." in page([kept])
    told = " ".join(Reader(page([late])).text)
    for figure in FIGURES:
        assert figure.format(late.result) in told, figure.key


def test_it_draws_backlog_age_tasks_and_what_happened() -> None:
    backlog, age, tasks, *happened = drawings(page([study()]))
    assert "Backlog" in texts(backlog)
    assert "SLO 60 s" in texts(age)
    assert [line.get("data-name") for line in tasks.iter("polyline")] == ["running", "needed", "desired"]
    lanes = {texts(lane)[0]: lane for lane in happened}
    steps = lanes.pop("Steps: out above, in below")
    assert {"Deep in ALARM", "Empty in ALARM", "Out is at the most tasks allowed"} <= set(lanes)
    assert any(re.fullmatch(r"Out: \d+ → \d+", text) for text in texts(steps))


def test_what_is_drawn_can_be_read_back() -> None:
    drawn = study()
    backlog, *_ = drawings(page([drawn]))
    (line,) = backlog.iter("polyline")
    numbers = [float(number) for number in line.get("points", "").split()]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    for minute, value in enumerate(drawn.result.minutes.visible, start=1):
        seen = [y for x, y in points if x <= 60 * minute][-1]
        assert seen == pytest.approx(value, abs=0.5, rel=0.005)


def test_names_are_told_as_they_are_and_never_become_markup() -> None:
    document = page([study(renamed(WICKED), load=WICKED, title=WICKED), study(title=WICKED)])
    reader = Reader(document)
    assert reader.open == []
    assert reader.tags.count("script") == 1
    assert "\x00" not in document
    assert "\x1b" not in document
    assert "<script>alert('&\"1\"')" in "".join(reader.text)


def test_two_studies_are_told_side_by_side() -> None:
    document = page([study(title="before"), study(fixed(40), title="after")])
    told = Reader(document).text
    assert [told.count(name) for name in ("before", "after", "Difference")] == [2, 2, 1]


def test_a_service_that_never_scales_has_no_lanes() -> None:
    assert len(drawings(page([study(fixed(40))]))) == 3


@pytest.mark.parametrize("values", [[0.0], [0.0] * 5, [3.0, 1e12]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    svg = drawn(values, seconds=60 * len(values))
    box, (line,) = svg.find("svg[@viewBox]"), svg.iter("polyline")
    assert box is not None
    left, top, width, height = map(float, box.get("viewBox", "").split())
    assert (left, width) == (0, 60 * len(values))
    assert top < -max(values) <= 0 < top + height
    assert line.get("points")


def test_long_loads_keep_their_peaks_in_as_many_points_as_can_be_told_apart() -> None:
    values = [float(minute % 7) for minute in range(50_000)]
    values[31_234] = 100
    (line,) = drawn(values, seconds=60 * len(values)).iter("polyline")
    numbers = line.get("points", "").split()
    assert len(numbers) / 2 < MOST_POINTS + 5
    assert "100" in numbers[1::2]


def test_what_does_not_change_takes_no_points() -> None:
    (line,) = drawn([5.0] * 1000, seconds=60_000).iter("polyline")
    assert len(line.get("points", "").split()) / 2 < 10


def test_a_short_mark_can_still_be_seen() -> None:
    parent = ElementTree.Element("div")
    svg = draw_lane(parent, Lane("Steps", [Mark(60, 60, "out", "1 → 2")]), seconds=86_400, name="lane")
    assert [float(rect.get("width", 0)) > 0 for rect in svg.iter("rect")] == [True]


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    arguments = ["simulate", str(written(tmp_path, template())), "--rate", "3", "--slo", "300", "--page", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert Reader(out.read_text(encoding="utf-8")).open == []
    beside = [*arguments[:-1], str(tmp_path / "absent" / "out.html")]
    refused = CliRunner().invoke(app, beside)
    assert refused.exit_code == 2
    assert "out.html cannot be written: No such file or directory." in refused.stderr

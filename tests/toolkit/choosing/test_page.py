"""docs/choosing.md is what the command calculates today; its chart is whole, and its commands are its workloads."""

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from tools import write_choosing
from tools.write_choosing import CASES, FLOWCHART, PAGE, REFRESH, crossing, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_fresh() -> None:
    assert page() == TEXT, f"docs/choosing.md is stale. Refresh it with: {REFRESH}"


def test_refreshing_writes_the_page(tmp_path: Path) -> None:
    write_choosing.main(tmp_path / "choosing.md")

    assert (tmp_path / "choosing.md").read_text(encoding="utf-8") == TEXT


def test_there_are_twelve_workloads() -> None:
    assert len(CASES) == 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_command_of_the_page_gives_its_workload(case: write_choosing.Case) -> None:
    result = CliRunner().invoke(app, ["choose", *shlex.split(case.options), "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["workload"] == asdict(case.workload)


def test_every_node_of_the_chart_is_described_once_and_leads_on_or_ends() -> None:
    described = re.findall(r'(\w+)(?:\{"|\[")', FLOWCHART)
    edges = [
        (source, target)
        for sources, target in re.findall(r"^    ([\w &]+?)(?: -- .+?)? --> (\w+)", FLOWCHART, re.M)
        for source in sources.split(" & ")
    ]

    assert len(described) == len(set(described)) >= 12
    assert {node for edge in edges for node in edge} == set(described)
    assert {source for source, _ in edges} == set(re.findall(r'(\w+)\{"', FLOWCHART)) | {"sqs", "sns"}


def test_kafka_is_cheaper_than_single_sends_long_before_a_hundred_million_a_day() -> None:
    """The articles' 100 M a day holds only for what is sent one by one, and then it begins sooner."""
    from fargate_workers_toolkit.choosing import Workload

    single = crossing(Workload(messages_a_day=1, sending="single"))

    assert single is not None
    assert 30e6 < single < 50e6
    assert crossing(Workload(messages_a_day=1, sending="batched", replay=7 * 86_400)) is None

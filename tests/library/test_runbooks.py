"""Every alarm has a page worth reading, and the pages in docs/runbooks are the ones we would write today."""

import re
from pathlib import Path

import pytest

from fargate_workers.alarms import runbooks
from fargate_workers.alarms.runbook_texts import TEXTS
from tools.write_runbooks import write

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"


def test_every_alarm_has_a_text_and_every_text_an_alarm() -> None:
    assert set(TEXTS) == set(runbooks.definitions())


def test_the_pages_are_fresh() -> None:
    wanted = runbooks.pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))

    assert stale == [], f"Stale in docs/runbooks: {', '.join(stale)}. Refresh them with: {runbooks.REFRESH}"


def test_refreshing_writes_every_page_and_removes_those_of_alarms_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("an alarm we no longer have")

    write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == set(runbooks.pages())


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_page_has_a_command_to_begin_with_causes_steps_and_an_end(name: str) -> None:
    text = runbooks.pages()[runbooks.definitions()[name].runbook]

    assert re.search(r"```sh\naws \S+ \S+", text)
    for heading in ("Likely causes", "What to do", "It is over when", "How the alarm decides"):
        assert f"## {heading}" in text
    assert len(TEXTS[name].causes) >= 2
    assert len(TEXTS[name].steps) >= 2


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = runbooks.pages()
    links = {link for text in pages.values() for link in re.findall(r"\]\(([a-z-]+\.md)\)", text)}

    assert links <= set(pages)

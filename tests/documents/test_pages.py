"""The documents have the shape that readers count on: a short front page, one title a page, listed decisions."""

import re

import pytest

from tests.documents.pages import DOCS, ROOT, documents, name_of, prose

LONGEST_FRONT_PAGE = 150


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_FRONT_PAGE


def test_a_page_has_one_title_and_begins_with_it() -> None:
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in documents()}

    assert [name for name, text in texts.items() if not text.startswith("# ")] == []
    assert [name for name, text in texts.items() if len(re.findall(r"^# ", prose(text), re.MULTILINE)) != 1] == []


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_has_context_decision_and_consequences_and_is_listed(page) -> None:
    text = page.read_text(encoding="utf-8")
    title = re.match(r"# (\d+)\. (.+)\n", text)

    assert title
    assert int(title[1]) == int(page.name[:4])
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"| {title[1]} | [{title[2]}]({page.name}) |" in (page.parent / "README.md").read_text(encoding="utf-8")


def test_the_glossary_has_one_row_a_word_in_the_alphabets_order() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\*", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert words == sorted(words, key=str.lower)
    assert len(words) == len(set(words)) > 20

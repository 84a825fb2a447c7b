"""Every link of a document leads somewhere: to a page, to one of its headings, to a file, to what a file defines."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.documents.pages import DOCS, ROOT, anchors, documents, links, name_of
from tools.docs_site import outward, pages_in

PAGES = {name_of(path): path for path in documents()}
# Links into the source name the rooms in which it stands.
SOURCE = (".py",)
# Paths that a page names without a link.
NAMED = re.compile(r"`((?:constructs|worker_image|toolkit|environments|stacks|tests|tools)/[\w./-]*\w)/?`")


def inward(page: Path) -> list[tuple[str, Path, str]]:
    """The text, the file and the anchor of each link within the repository."""
    found: list[tuple[str, Path, str]] = []
    for text, target in links(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            found.append((text, (page.parent / file).resolve() if file else page, anchor))
    return found


def test_every_link_leads_to_a_file() -> None:
    missing = [
        f"{name}: {file}"
        for name, page in PAGES.items()
        for _, file, _ in inward(page)
        if file.suffix not in SOURCE and not file.exists()
    ]

    assert missing == []


def test_every_anchor_is_a_heading() -> None:
    headings = cache(lambda file: anchors(file.read_text(encoding="utf-8")))
    missing = [
        f"{name}: {name_of(file)}#{anchor}"
        for name, page in PAGES.items()
        for _, file, anchor in inward(page)
        if anchor and file.suffix == ".md" and anchor not in headings(file)
    ]

    assert missing == []


def test_every_link_into_the_source_leads_to_what_it_names() -> None:
    missing: list[str] = []
    for text, file, _ in (link for page in PAGES.values() for link in inward(page)):
        if file.suffix in SOURCE:
            defined = re.fullmatch(r"`(\w+)`", text)
            if not file.exists():
                missing.append(f"{file}: no such file")
            elif defined and not re.search(rf"^\s*(?:class|(?:async )?def) {defined[1]}\b", file.read_text(), re.M):
                missing.append(f"{file}: defines no {defined[1]}")

    assert missing == []


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "docs/adding.md", "docs/architecture.md", "docs/order-pipeline.md"]
)
def test_every_path_that_a_page_for_developers_names_exists(name: str) -> None:
    # What `make worker NAME=OrderRefunds` writes is not there before.
    named = {path for path in NAMED.findall(PAGES[name].read_text(encoding="utf-8")) if "order_refunds" not in path}

    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_a_link_out_of_docs_becomes_one_into_the_repository() -> None:
    text = "[a](../CONTRIBUTING.md#which-test) [b](../worker/cost.md) [c](../../app.py) [d](https://example.com/../x)"

    assert outward(text, page=Path("runbooks/x.md"), repository="https://host/us") == (
        "[a](../CONTRIBUTING.md#which-test) [b](../worker/cost.md) [c](https://host/us/blob/main/app.py) "
        "[d](https://example.com/../x)"
    )
    assert outward(text, page=Path("x.md"), repository="https://host/us").startswith(
        "[a](https://host/us/blob/main/CONTRIBUTING.md#which-test)"
    )


def test_the_navigation_has_every_page_of_a_folder_and_its_index_first() -> None:
    assert pages_in(DOCS, "decisions/")[:2] == ["decisions/README.md", "decisions/0001-idempotency-is-a-lease.md"]
    assert len(pages_in(DOCS, "runbooks/")) == len(list((DOCS / "runbooks").glob("*.md")))


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    entries = re.findall(r"([\w/-]+(?:\.md|/))$", navigation, re.MULTILINE)
    named = {page for entry in entries for page in (pages_in(DOCS, entry) if entry.endswith("/") else [entry])}

    assert named == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}

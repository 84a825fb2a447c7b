"""The documents of this repository, and what a reader of Markdown makes of them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LITERAL = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[(?P<text>(?:[^\]\[]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def documents() -> list[Path]:
    """Every page: those at the top, and all of docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def name_of(path: Path) -> str:
    """The path as a reader of the repository writes it."""
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """The text without blocks of code; each line stays on its line."""
    return FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def links(text: str) -> Iterator[tuple[str, str]]:
    """The text and the target of each link, those within code left out."""
    for match in LINK.finditer(prose(text)):
        yield match["text"], match["target"]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, by the rule that GitHub and MkDocs share for plain headings."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(text)):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower())
        found.add(re.sub(r"[ ]+", "-", slug))
    return found

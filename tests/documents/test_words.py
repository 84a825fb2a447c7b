"""Documents are written in plain English: machines send, receive, set, return and raise."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.documents.pages import ROOT, documents, name_of, prose
from tests.python_files import python_files

#: What these words are for people to do, or belong to another century; docs/glossary.md has the words to use.
WORDS = re.compile(
    r"\b(?:tells?|told|telling|says?|said|saying|beside|wish(?:es|ed|ing)?|mend(?:s|ed|ing)?|hurry|hurries|hurried"
    r"|betray(?:s|ed)?|whom|whoever|for ever|of (?:ours|yours|theirs)|reckons?|hark(?:s|en)?|spar(?:es|ing))\b",
    re.IGNORECASE,
)
#: Folders and files whose docstrings follow the rule. A folder joins the list when its docstrings do.
DOCSTRINGS: tuple[str, ...] = (
    "constructs/fargate_workers/alarms/command_lines.py",
    "constructs/fargate_workers/alarms/runbook_texts.py",
    "environments",
    "examples",
    "lambda_src",
    "scenarios",
    "stacks",
    "tests/documents",
    "toolkit/fargate_workers_toolkit",
    "tools",
    "worker_image",
)
#: Folders whose comments follow it, too.
COMMENTS: tuple[str, ...] = ("lambda_src", "worker_image/fargate_workers_runtime")
#: Pages made from docstrings, alarms and measurements, which are checked where they are written.
GENERATED = ("docs/reference/", "docs/runbooks/")
GENERATED_PART = re.compile(r"<!-- \w+ -->\n.*?<!-- / -->", re.DOTALL)

PAGES = {name_of(path): path for path in documents() if not name_of(path).startswith(GENERATED)}


def sources(places: tuple[str, ...]) -> list[str]:
    """The Python files of folders, and single files, by their names."""
    return [
        name_of(path)
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else python_files(ROOT / place))
    ]


def found_in(text: str) -> list[str]:
    return [f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in WORDS.finditer(text)]


def docstrings(path: Path) -> str:
    """Every docstring of a file, and every other text that stands alone in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return "\n".join(
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def comments(text: str) -> str:
    """The comments of a program, each on its own line."""
    lines = [""] * (text.count("\n") + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.string
    return "\n".join(lines)


def written(path: Path) -> str:
    """A page without its generated parts."""
    return GENERATED_PART.sub(lambda match: "\n" * match[0].count("\n"), path.read_text(encoding="utf-8"))


def test_pages_are_in_plain_english() -> None:
    assert {name: found for name, path in PAGES.items() if (found := found_in(prose(written(path))))} == {}


def test_docstrings_are_in_plain_english() -> None:
    names = sources(DOCSTRINGS)

    assert len(names) > 500
    assert {name: found for name in names if (found := found_in(docstrings(ROOT / name)))} == {}


def test_comments_are_in_plain_english() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in sources(COMMENTS)}

    assert {name: found for name, text in texts.items() if (found := found_in(comments(text)))} == {}


def test_a_word_in_a_comment_is_found_and_one_in_the_code_is_not() -> None:
    assert found_in(comments("told = 1\nlate = 2  # what was told\n")) == ["line 2: told"]


def test_the_texts_of_the_runbooks_are_in_plain_english() -> None:
    text = next((ROOT / "constructs" / "fargate_workers").rglob("runbook_texts.py")).read_text(encoding="utf-8")

    assert found_in(text) == []


@pytest.mark.parametrize(
    "sentence",
    ["whom the alarms tell", "a queue of yours", "What is decided is said", "what a person can mend", "stays for ever"],
)
def test_the_list_has_the_words_of_the_old_dialect(sentence: str) -> None:
    assert found_in(sentence)


def test_the_list_leaves_plain_english_alone() -> None:
    assert found_in("Besides, a foretold amendment; the cluster that runs the tasks sends its alarms to a topic.") == []

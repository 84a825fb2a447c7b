"""The documentation of the library's public face is complete, in a form that tools read, and in plain words."""

import re
from pathlib import Path

import fargate_workers
from tests.documents.docstrings import begins_with_a_sentence, described, parameters, signatures, texts

LIBRARY = Path(fargate_workers.__file__).parent
# Machines send, receive, set, return and raise; they do none of these.
WORDS = re.compile(
    r"\b(told|tells?|wish(es)?|mends?|hurr(y|ies)|betray(s|ed)?|whom|whoever|ours|yours|for ever|as for every)\b", re.I
)

SIGNATURES = dict(
    signatures({name: getattr(fargate_workers, name) for name in fargate_workers.__all__}, package="fargate_workers")
)


def test_every_parameter_is_described() -> None:
    missing = {name: parameters(function) - described(docstring) for name, (function, docstring) in SIGNATURES.items()}
    assert len(missing) > 100
    assert {name: parts for name, parts in missing.items() if parts} == {}


def test_a_parameter_that_is_not_described_is_found() -> None:
    docstring = (
        "A worker.\n\nArgs:\n    scope: Where it stands,\n        in the tree.\n\nRaises:\n    ValueError: Never.\n"
    )

    def worker(scope: str, id: str) -> None: ...

    assert parameters(worker) - described(docstring) == {"id"}


def test_every_file_function_and_class_begins_with_a_sentence() -> None:
    bad = [
        f"{path.name}: {docstring.splitlines()[0]}"
        for path, docstring in texts(LIBRARY)
        if not begins_with_a_sentence(docstring)
    ]
    assert bad == []


def test_the_words_are_plain() -> None:
    found = [
        f"{path.name}: {match[0]!r} in {docstring.splitlines()[0]!r}"
        for path, docstring in texts(LIBRARY)
        for match in WORDS.finditer(docstring)
    ]
    assert found == []

"""The pipeline asks a broker for its capabilities. It contains no broker's word, number or module."""

import ast
import re
from pathlib import Path

RUNTIME = Path(__file__).parents[2] / "worker_image" / "fargate_workers_runtime"

#: The rooms that a message passes between a broker and its handler, the worker that joins them, and the protocol.
ROOMS = [*(RUNTIME / "pipeline").rglob("*.py"), *(RUNTIME / "handlers").rglob("*.py")]
FILES = {
    path.relative_to(RUNTIME).as_posix(): path
    for path in [*ROOMS, RUNTIME / "worker.py", RUNTIME / "brokers/broker.py"]
}

#: Words and numbers of SQS, and names of other brokers. A field of the log is called `fifo`, and stays.
WORDS = re.compile(
    r'sqs|visib|receipt|43_?200|12 \* 3600|twelve|queue_url|redrive|fifo(?!":)|StringValue|kafka|\bstreams?\b',
    re.IGNORECASE,
)

#: What the brokers' room has for all: the protocol, and the envelopes that messages come in.
NEUTRAL = {
    node.name
    for file in ("broker.py", "sqs/envelopes.py")
    for node in ast.parse((RUNTIME / "brokers" / file).read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef | ast.FunctionDef)
}


def source(name: str) -> str:
    return FILES[name].read_text(encoding="utf-8")


def test_no_file_of_the_pipeline_contains_a_brokers_word_or_number() -> None:
    found = [
        f"{name}, line {number}: {word}"
        for name in FILES
        for number, line in enumerate(source(name).splitlines(), start=1)
        for word in WORDS.findall(line)
    ]

    assert found == [], "these speak of a broker; let them ask Capabilities, or move them to the broker's file"


def test_no_file_of_the_pipeline_takes_what_one_broker_alone_has() -> None:
    taken = {
        (name, alias.name)
        for name in FILES
        for node in ast.walk(ast.parse(source(name)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fargate_workers_runtime.brokers")
        for alias in node.names
    }

    assert {(name, thing) for name, thing in taken if thing not in NEUTRAL} == set()


def test_an_ending_has_one_word() -> None:
    """A message is acknowledged, released or dead-lettered."""
    others = re.compile(
        r"\bbur(?:y|ied|ial)|hand(?:s|ed|ing)?[ _]back|give[ns]?[ _]back|let_go|\bhurry\b", re.IGNORECASE
    )

    assert {name: found for name in FILES if (found := others.findall(source(name)))} == {}

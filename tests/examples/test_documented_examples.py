"""Every Python example in the documents runs, and every stack in them synthesizes."""

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[Any]:
    return [
        pytest.param(code, id=f"{document.name}-{number}")
        for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
        for number, code in enumerate(FENCED.findall(document.read_text()), start=1)
    ]


@pytest.mark.parametrize("code", examples())
def test_the_example_runs(code: str, context: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # as its reader would be
    names: dict[str, Any] = {"__name__": "example"}

    exec(compile(code, "example", "exec"), names)  # our own documents, nothing else

    stacks = [
        value for value in names.values() if isinstance(value, type) and issubclass(value, Stack) and value is not Stack
    ]
    if stacks:
        app = App(outdir=str(tmp_path), context=context)
        for stack in stacks:
            stack(app, stack.__name__)
        assert app.synth().stacks


def test_there_are_examples_to_run() -> None:
    assert len(examples()) >= 2

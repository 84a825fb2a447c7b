"""The import directions of pyproject.toml's [tool.importlinter] hold."""

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[2]


def test_every_import_points_in_an_allowed_direction(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    status = cli.lint_imports(no_cache=True)

    assert status == 0, capsys.readouterr().out

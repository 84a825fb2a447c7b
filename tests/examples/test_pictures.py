"""The documents' plots and scores are those of today's templates, planner and simulator."""

from pathlib import Path

import pytest

from tools.draw_plots import PICTURES, generated

DOCS = PICTURES.parent


@pytest.fixture(scope="module")
def files() -> dict[Path, str]:
    return generated()


def test_every_plot_and_score_is_up_to_date(files: dict[Path, str]) -> None:
    stale = [
        str(path.relative_to(DOCS)) for path, text in files.items() if not path.exists() or path.read_text() != text
    ]
    assert not stale, "look at what changed, then refresh with `make snapshots`"


def test_every_plot_is_shown_and_small(files: dict[Path, str]) -> None:
    documents = "".join(path.read_text() for path in DOCS.glob("*.md"))
    plots = set(PICTURES.glob("*.svg"))
    assert plots == {path for path in files if path.suffix == ".svg"}
    assert [path.name for path in plots if f"](pictures/{path.name})" not in documents] == []
    assert max(path.stat().st_size for path in plots) < 100_000

"""The reference has a page for each public name, and each is what its docstring would make today."""

import importlib

import pytest

from tools import write_reference
from tools.write_reference import FOLDER, PACKAGES, pages, public_names


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    return pages()


def test_the_pages_are_fresh(wanted: dict[str, str]) -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))

    assert stale == [], f"Stale in docs/reference: {', '.join(stale)}. Refresh them with: {write_reference.REFRESH}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_page(package: str, wanted: dict[str, str]) -> None:
    public = importlib.import_module(package).__all__

    assert public
    assert {f"{package}.{name}.md" for name in public} == {
        f"{package}.{name}.md" for name, _ in public_names(package) if f"{package}.{name}.md" in wanted
    }


def test_a_page_has_signature_types_defaults_and_errors(wanted: dict[str, str]) -> None:
    worker, message = wanted["fargate_workers.QueueWorker.md"], wanted["fargate_workers_runtime.Message.md"]

    assert "    concurrency: int = 10,\n" in worker
    assert "## QueueWorker.subscribe\n" in worker
    assert "| `sent_at` | `datetime \\| None` |" in message
    assert "| `ClaimLost` |" in message


def test_refreshing_removes_the_pages_of_names_that_are_gone(tmp_path, wanted: dict[str, str]) -> None:
    (tmp_path / "fargate_workers.Gone.md").write_text("a name that is no longer there")

    write_reference.main(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == set(wanted)

"""The page for someone on call names every command; every command starts without what only a simulation needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from fargate_workers_redrive.where import FIELDS
from fargate_workers_toolkit import commands
from fargate_workers_toolkit.operations.dead_letters.where import Filter
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ON_CALL = [name for name, (file, _) in commands.COMMANDS.items() if file.startswith("on_call.")]


@pytest.mark.parametrize("name", ON_CALL)
def test_the_page_names_every_command(name: str) -> None:
    assert f"`{name} " in PAGE


@pytest.mark.parametrize("field", FIELDS)
def test_the_page_names_every_field_of_a_filter(field: str) -> None:
    assert f"`{field}" in PAGE


def test_the_filter_of_the_page_is_one() -> None:
    Filter.parse('reason == "schema*" and body.amount > 0 and age < 2h')

    assert 'reason == "schema*" and body.amount > 0 and age < 2h' in PAGE


@pytest.mark.parametrize("name", ON_CALL)
def test_a_command_loads_neither_the_simulation_nor_its_packages(name: str) -> None:
    code = (
        "import sys; from fargate_workers_toolkit import commands; "
        f"commands.load({name!r}); "
        "heavy = {'numpy', 'matplotlib', 'psutil', 'boto3', 's3transfer', 'fargate_workers_toolkit.simulation'}; "
        "heavy &= set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )

    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=PATIENCE)

    assert ended.returncode == 0, ended.stderr

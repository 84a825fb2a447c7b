"""Imports point in one direction: those of pyproject.toml's [tool.importlinter], and inside of each room."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.python_files import python_files

ROOT = Path(__file__).parents[2]
HOUSES = (
    "constructs/fargate_workers",
    "worker_image/fargate_workers_runtime",
    "worker_image/order_pipeline",
    "toolkit/fargate_workers_toolkit",
    "stacks",
    "environments",
    "scenarios",
    "examples",
    "tools",
    "benchmarks",
    "tests",
)


def test_every_import_points_in_an_allowed_direction() -> None:
    # A process of its own: called as a function, it turns off the loggers that other tests read.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("house", HOUSES)
def test_no_arrow_runs_back_up_inside_a_room(house: str) -> None:
    """Files and rooms inside of one room can be drawn as floors, where each imports from those below it alone."""
    imports = _imports(ROOT / house)
    rooms: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module, imported in imports:
        room, here, there = _where_they_part(module, imported)
        if there:
            rooms[room][here].add(there)

    for arrows in rooms.values():
        TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("house", HOUSES)
def test_no_file_imports_the_face_of_a_room_that_it_is_in(house: str) -> None:
    up = [f"{module} imports {face}" for module, face in _imports(ROOT / house) if module.startswith(f"{face}.")]

    assert up == [], "import the name from the file that has it"


def _imports(house: Path) -> list[tuple[str, str]]:
    """The modules of a house, each with one that it imports there; imports for type checking count as well."""
    modules = {_module(file, house): file for file in python_files(house)}
    return [
        (module, imported)
        for module, file in modules.items()
        for imported in _taken_from(file, modules)
        if imported in modules and imported != module
    ]


def _module(file: Path, house: Path) -> str:
    parts = file.relative_to(house.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _taken_from(file: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _where_they_part(module: str, imported: str) -> tuple[str, str, str]:
    """The innermost room that both are in, and what each is or is in there; empty for the room's own face."""
    here, there = module.split("."), imported.split(".")
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return ".".join(here[:shared]), ".".join(here[shared : shared + 1]), ".".join(there[shared : shared + 1])

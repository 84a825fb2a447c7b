"""The import directions of pyproject.toml's [tool.importlinter] hold."""

import ast
import subprocess
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "constructs" / "fargate_workers"


def test_every_import_points_in_an_allowed_direction() -> None:
    # A process of its own: called as a function, it turns off the loggers that other tests read.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_no_files_of_the_library_import_each_other_in_a_circle() -> None:
    # Imports for type checking count: a reader follows them as well.
    modules = {_module(path): path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py"}
    imported = {module: _imports(path, modules) for module, path in modules.items()}

    assert any(imported.values())
    TopologicalSorter(imported).prepare()  # raises CycleError, which names the circle


def _module(path: Path) -> str:
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, modules: Collection[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(modules)

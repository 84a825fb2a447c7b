"""The Python files of a folder."""

from pathlib import Path


def python_files(folder: Path) -> list[Path]:
    """Every Python file of a folder, without what a local run leaves in an example: a hidden folder with packages."""
    hidden = {path for path in folder.rglob(".*") if path.is_dir()}
    return [path for path in sorted(folder.rglob("*.py")) if hidden.isdisjoint(path.parents)]

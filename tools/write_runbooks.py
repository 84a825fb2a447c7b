"""Write the runbooks, one page per alarm, into docs/runbooks.

python -m tools.write_runbooks
"""

from pathlib import Path

from fargate_workers.alarms import RUNBOOKS, runbooks

ROOT = Path(__file__).parents[1]


def write(folder: Path) -> None:
    """Write every page into `folder`, and remove those of alarms that no longer exist.

    Args:
        folder: Where the pages are; it is made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = runbooks.pages()
    for found in folder.glob("*.md"):
        if found.name not in pages:
            found.unlink()
    for name, content in pages.items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(ROOT / RUNBOOKS)

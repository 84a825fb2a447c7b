"""Which files an app is made of: all below its folder, but for what is installed or generated there."""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

GENERATED = ("__pycache__", "node_modules")

# What a virtual environment and a cloud assembly have in their folder, whatever that is called.
MARKERS = ("pyvenv.cfg", "cdk.out")


def digest(root: Path, arguments: Sequence[str]) -> str:
    """Return a hash of everything that decides what an app synthesizes to.

    Args:
        root: The folder with cdk.json.
        arguments: What the command passes to the app.

    Returns:
        A hash of the arguments, the installed distributions and every file in `root`. Left out are hidden folders,
        `node_modules`, virtual environments and cloud assemblies.
    """
    total = sha256(repr(list(arguments)).encode())
    total.update(repr(sorted(f"{each.name} {each.version}" for each in distributions())).encode())
    for file in _files(root):
        total.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode(errors="surrogateescape"))
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if not _is_generated(here / name))
        yield from (here / name for name in sorted(files) if (here / name).is_file())


def _is_generated(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in GENERATED
    return hidden or any((folder / marker).is_file() for marker in MARKERS)

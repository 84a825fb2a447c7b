"""The rule of rooms: a room's `__init__` is its face, and the files inside belong to the room alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python_files import python_files

ROOT = Path(__file__).parents[2]
PRODUCTS = {
    "fargate_workers": ROOT / "constructs",
    "fargate_workers_runtime": ROOT / "worker_image",
    "fargate_workers_toolkit": ROOT / "toolkit",
}
#: What is built on the products and shows others how: it follows the rule, too.
SAMPLE = [
    ROOT / "app.py",
    *(ROOT / folder for folder in ("stacks", "environments", "scenarios", "examples", "worker_image/order_pipeline")),
]

#: One room, whose folders are AWS's services: most of its files need the embedded AWS's own environment, so that a face
#: would take that to import any of them.
EMULATOR = "fargate_workers_toolkit.local.emulator"


def _files() -> Iterator[Path]:
    for product, source_root in PRODUCTS.items():
        yield from (source_root / product).rglob("*.py")
    for place in SAMPLE:
        yield from python_files(place) if place.is_dir() else [place]


def _files_of(place: str) -> Iterator[Path]:
    for file in _files():
        product = _module(file).split(".")[0]
        if place == (product if product in PRODUCTS else "the sample"):
            yield file


def _module(file: Path) -> str:
    for source_root in PRODUCTS.values():
        if file.is_relative_to(source_root):
            return ".".join(file.relative_to(source_root).with_suffix("").parts).removesuffix(".__init__")
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _taken_from(file: Path) -> Iterator[tuple[int, str]]:
    """The modules that a file imports from, those under TYPE_CHECKING included, with the line of each."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)


def _is_inside_a_room(module: str) -> bool:
    product, *rooms = module.split(".")
    if product not in PRODUCTS:
        return False
    place = PRODUCTS[product] / product / "/".join(rooms)
    return len(rooms) > 1 and place.with_suffix(".py").is_file()


def _room_of(module: str) -> str:
    room = module.rpartition(".")[0]
    return EMULATOR if f"{room}.".startswith(f"{EMULATOR}.") else room


@pytest.mark.parametrize("place", [*PRODUCTS, "the sample"])
def test_rooms_are_imported_by_their_faces(place: str) -> None:
    through_the_wall = [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file in _files_of(place)
        for line, module in _taken_from(file)
        if _is_inside_a_room(module) and not f"{_module(file)}.".startswith(f"{_room_of(module)}.")
    ]

    assert through_the_wall == [], "import the name from the room, whose __init__ names it"


def test_no_file_hides_behind_an_underscore() -> None:
    named = [file for file in _files() if file.name.startswith("_") and not file.name.startswith("__")]

    assert named == [], "the rooms do the hiding"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_dozen_files_have_a_room(product: str) -> None:
    """More than a dozen files in one place need rooms; a stranger reads no longer list."""
    folders = {file.parent for file in (PRODUCTS[product] / product).rglob("*.py")}
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := sum(1 for file in folder.glob("*.py") if not file.name.startswith("__"))) > 12
    }

    assert crowded == {}

"""The faces of the toolkit's rooms are documented in full, in a form that tools read."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.models import ParameterInfo

import fargate_workers_toolkit
from fargate_workers_toolkit import commands
from tests.documents.docstrings import begins_with_a_sentence, described, parameters

TOOLKIT = Path(fargate_workers_toolkit.__file__).parent
#: Most files of the emulator need the embedded AWS's own environment, and its folders have no faces.
ROOMS = [
    ".".join(("fargate_workers_toolkit", *face.relative_to(TOOLKIT).parts[:-1]))
    for face in sorted(TOOLKIT.rglob("__init__.py"))
    if "emulator" not in face.parts
]

#: A parameter, a default or an error described in running text, where no tool finds it.
LOOSE = re.compile(r"(?:^|\. )`\w+`(?:, `\w+`)*: |\bDefault: |\bRaises [A-Z]\w+")


class Documented:
    """A function, method or class of a face: its docstring, its parameters and the errors that it raises itself."""

    def __init__(self, thing: Callable[..., Any], source: object, docstring: str | None) -> None:
        self.thing = thing
        self.source = source
        self.docstring = docstring or ""

    @property
    def missing(self) -> set[str]:
        """Parameters that neither the docstring describes nor the help of a command's option."""
        return parameters(self.thing) - described(self.docstring) - helped(self.thing)

    @property
    def unnamed_errors(self) -> set[str]:
        return raised(self.source) - raises(self.docstring)


def helped(thing: Callable[..., Any]) -> set[str]:
    """The parameters of a command that its help describes."""
    if not inspect.isfunction(thing):
        return set()
    return {
        name
        for name, hint in get_type_hints(thing, include_extras=True).items()
        for part in getattr(hint, "__metadata__", ())
        if isinstance(part, ParameterInfo) and part.help
    }


def raises(docstring: str) -> set[str]:
    _, _, section = inspect.cleandoc(docstring).partition("\nRaises:\n")
    return {line.strip().partition(":")[0] for line in section.splitlines() if line.startswith("    ")}


def raised(source: object) -> set[str]:
    """The errors that stand by their class in the `raise` statements of a function, unless it catches them."""
    if not inspect.isfunction(source):
        return set()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    except OSError:  # What dataclasses make has no source.
        return set()
    caught = {
        id(inner)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try)
        for part in block.body
        for inner in ast.walk(part)
        if _error(inner) in {name.id for each in block.handlers for name in _names(each.type)}
    }
    return {error for node in ast.walk(tree) if (error := _error(node)) and id(node) not in caught}


def _error(node: ast.AST) -> str:
    """The class of the error that a statement raises; empty where it raises none or another function makes it."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
        return node.exc.func.id if node.exc.func.id[0].isupper() else ""
    return ""


def _names(node: ast.expr | None) -> list[ast.Name]:
    return [] if node is None else [name for name in ast.walk(node) if isinstance(name, ast.Name)]


def is_own(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("fargate_workers_toolkit")


def documented(room: str) -> Iterator[tuple[str, Documented]]:
    face = importlib.import_module(room)
    named = {name: getattr(face, name) for name in getattr(face, "__all__", ())}
    if face is commands:
        named |= {name: commands.load(name) for name in commands.COMMANDS}
    for name, thing in named.items():
        if inspect.isfunction(thing):
            yield f"{room}.{name}", Documented(thing, thing, thing.__doc__)
        if not (inspect.isclass(thing) and is_own(thing)) or issubclass(thing, Exception):
            continue
        if not getattr(thing, "_is_protocol", False):
            maker = vars(thing).get("__post_init__", vars(thing).get("__init__"))
            yield f"{room}.{name}", Documented(thing, maker, vars(thing).get("__doc__"))
        for part in dir(thing):
            method = getattr(thing, part)
            if not part.startswith("_") and (inspect.isfunction(method) or inspect.ismethod(method)) and is_own(method):
                source = method.__func__ if inspect.ismethod(method) else method
                yield f"{room}.{name}.{part}", Documented(method, source, inspect.getdoc(method))


@pytest.fixture(scope="module")
def faces() -> dict[str, Documented]:
    return {name: each for room in ROOMS for name, each in documented(room)}


def test_every_parameter_is_described(faces: dict[str, Documented]) -> None:
    assert {name: each.missing for name, each in faces.items() if each.missing} == {}


def test_what_it_raises_is_named(faces: dict[str, Documented]) -> None:
    assert {name: each.unnamed_errors for name, each in faces.items() if each.unnamed_errors} == {}


def test_the_first_line_is_a_sentence(faces: dict[str, Documented]) -> None:
    assert {name: each.docstring for name, each in faces.items() if not begins_with_a_sentence(each.docstring)} == {}


def test_defaults_and_errors_stand_in_their_sections() -> None:
    found = [
        f"{path.relative_to(TOOLKIT)}: {match[0]}"
        for path in sorted(TOOLKIT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        for match in LOOSE.finditer(ast.get_docstring(node) or "")
    ]

    assert found == []


@pytest.mark.parametrize("docstring", ["`seed`: of all chance.", "Seconds. Default: 5.", "Raises ValueError for -1."])
def test_a_description_outside_its_section_is_found(docstring: str) -> None:
    assert LOOSE.search(docstring)


def test_what_is_not_described_is_found() -> None:
    def work(seconds: float, *, times: int) -> None:
        """Work.

        Args:
            seconds: How long.

        Raises:
            KeyError: Never.
        """
        try:
            raise OSError
        except OSError:
            if times < 0:
                raise ValueError(seconds) from None

    found = Documented(work, work, work.__doc__)

    assert found.missing == {"times"}
    assert found.unnamed_errors == {"ValueError"}


def test_there_is_something_to_describe(faces: dict[str, Documented]) -> None:
    assert len(faces) > 400
    assert {name.split(".")[1] for name in faces} >= {"account", "aws_behaviour", "simulation", "templates"}

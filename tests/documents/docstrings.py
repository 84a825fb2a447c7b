"""What Google-style docstrings describe, compared with the code that they stand in."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

_SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?:    .*\n|\n)+)", re.M)
_ENTRY = re.compile(r"^    ([\w.]+): \S", re.M)

#: A public function, constructor, method or property, and the docstring that describes it.
Signature = tuple[Callable[..., Any], str]


def described(docstring: str) -> set[str]:
    """The parameters and attributes that a docstring describes."""
    return _entries(docstring, "Args") | _entries(docstring, "Attributes")


def described_errors(docstring: str) -> set[str]:
    """The exceptions that a docstring names, without their modules."""
    return {name.rpartition(".")[2] for name in _entries(docstring, "Raises")}


def parameters(function: Callable[..., Any]) -> set[str]:
    """The parameters that a caller gives."""
    return set(inspect.signature(function).parameters) - {"self", "cls"}


def raised(function: Callable[..., Any]) -> set[str]:
    """The exceptions that a function's own `raise` statements make."""
    if function.__code__.co_filename.startswith("<"):
        return set()  # generated: a dataclass's constructor
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    statements = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return {call.func.id for call in statements if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


def signatures(public: Mapping[str, object], *, package: str) -> Iterator[tuple[str, Signature]]:
    """Every public function, constructor, method and property that `package` defines itself, by its qualified name."""
    for name, thing in public.items():
        if not inspect.isclass(thing):
            if callable(thing):
                yield name, (thing, thing.__doc__ or "")
            continue
        constructor = cast("Callable[..., Any]", thing.__init__)  # pyright: ignore[reportUnknownMemberType]
        if inspect.isfunction(constructor) and constructor.__module__ != "typing":
            yield name, (constructor, thing.__doc__ or "")
        for owner in thing.__mro__:
            if owner.__module__.startswith(package):
                for method, found in vars(owner).items():
                    function = _function(found)
                    if function is not None and not method.startswith("_"):
                        yield f"{name}.{method}", (function, function.__doc__ or "")


def own_names(module: ModuleType) -> dict[str, object]:
    """The public functions and classes that a module defines."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__ == module.__name__
    }


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """The docstring of each file, class and function below a folder."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                yield path, text


def begins_with_a_sentence(docstring: str) -> bool:
    """Whether the first line is a whole one."""
    return docstring.strip().partition("\n")[0].endswith((".", ":", "?"))


def _entries(docstring: str, section: str) -> set[str]:
    found = cast("list[tuple[str, str]]", _SECTION.findall(inspect.cleandoc(docstring) + "\n"))
    return {entry for name, text in found if name == section for entry in _ENTRY.findall(text)}


def _function(found: object) -> Callable[..., Any] | None:
    match found:
        case staticmethod() | classmethod():
            return cast("Callable[..., Any]", found.__func__)
        case property():
            return found.fget
        case _:
            return found if inspect.isfunction(found) else None

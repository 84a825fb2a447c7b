"""Writes docs/reference: a page for each public name, from its signature and docstring.

python -m tools.write_reference
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import cast

import griffe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
REFRESH = "make snapshots"
#: Each package whose `__all__` is public, and what it is, in the order of the index.
PACKAGES: Mapping[str, str] = {
    "fargate_workers": "The CDK library: what a stack imports.",
    "fargate_workers_runtime": "The runtime: what a handler imports.",
    "fargate_workers_runtime.testing": "The test kit: a worker, its queue, its claims and its clock in memory.",
}
SOURCE_ROOTS = ("constructs", "worker_image")
_WIDTH = 100
_GENERATED = f"<!-- Generated from the docstring by tools/write_reference.py; to refresh it, run: {REFRESH} -->"
_LITERAL = re.compile(r"(```.*?```|`[^`\n]+`|^ {4}.*$)", re.DOTALL | re.MULTILINE)


def pages() -> dict[str, str]:
    """File name -> content: an index, and a page per public name."""
    found: dict[str, str] = {}
    index = ["# Reference", "", "Every public name, from its docstring."]
    for package, purpose in PACKAGES.items():
        index += ["", f"## {package}", "", purpose, "", "| name | |", "|---|---|"]
        for name, thing in public_names(package):
            file = f"{package}.{name}.md"
            found[file] = page(package, name, thing)
            index.append(f"| [`{name}`]({file}) | {_cell(_summary(thing))} |")
    return {"README.md": "\n".join([*index, "", _GENERATED, ""]), **found}


def public_names(package: str) -> Iterator[tuple[str, griffe.Object]]:
    """Every name of the package's `__all__`, in the alphabet's order, and what it stands for."""
    module = _load(package)
    names = [name if isinstance(name, str) else name.name for name in module.exports or ()]
    for name in sorted(names, key=str.lower):
        member = module.members[name]
        thing = member.final_target if isinstance(member, griffe.Alias) else member
        yield name, thing


def page(package: str, name: str, thing: griffe.Object) -> str:
    """The page of one public name."""
    parts = [f"# {name}", *_described(name, thing, import_line=f"from {package} import {name}")]
    if isinstance(thing, griffe.Class):
        for method in _methods(thing):
            parts += [f"## {name}.{method.name}", *_described(method.name, method)]
    return "\n\n".join(part for part in [*parts, _GENERATED] if part) + "\n"


def main(folder: Path = FOLDER) -> None:
    """Writes every page, and removes those of names that are gone."""
    wanted = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in folder.glob("*.md")} - set(wanted):
        (folder / stale).unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content, encoding="utf-8")


_loaded: dict[str, griffe.Module] = {}


def _load(package: str) -> griffe.Module:
    if package not in _loaded:
        loader = griffe.GriffeLoader(
            search_paths=[ROOT / root for root in SOURCE_ROOTS], docstring_parser="google", allow_inspection=False
        )
        for top in sorted({name.split(".")[0] for name in PACKAGES}):
            loader.load(top)
        loader.resolve_aliases(external=False)
        for name in PACKAGES:
            _loaded[name] = cast("griffe.Module", loader.modules_collection[name])
    return _loaded[package]


def _described(name: str, thing: griffe.Object, *, import_line: str = "") -> Iterator[str]:
    """The signature, then the docstring section by section."""
    signature = _signature(name, thing)
    code = "\n\n".join(part for part in (import_line, signature) if part)
    if code:
        yield f"```python\n{code}\n```"
    sections = _sections(thing)
    if isinstance(thing, griffe.Class) and (init := thing.members.get("__init__")) is not None:
        sections += _sections(init.final_target if isinstance(init, griffe.Alias) else init)
    for section in sections:
        yield _section(section, thing)


def _sections(thing: griffe.Object) -> list[griffe.DocstringSection]:
    # Warnings of the parser are for a linter of docstrings; here they would be noise.
    return list(thing.docstring.parse("google", warnings=False)) if thing.docstring is not None else []


def _section(section: griffe.DocstringSection, thing: griffe.Object) -> str:
    match section:
        case griffe.DocstringSectionText(value=text):
            return _markdown(text)
        case griffe.DocstringSectionParameters(value=rows):
            return _table(
                ("parameter", "type", ""),
                [(f"`{row.name}`", _code(row.annotation), _with_default(row, thing)) for row in rows],
            )
        case griffe.DocstringSectionAttributes(value=rows):
            return _table(
                ("attribute", "type", ""),
                [(f"`{row.name}`", _code(row.annotation), _cell(row.description)) for row in rows],
            )
        case griffe.DocstringSectionRaises(value=rows):
            return _table(("raises", "when"), [(_code(row.annotation), _cell(row.description)) for row in rows])
        case griffe.DocstringSectionReturns(value=rows) | griffe.DocstringSectionYields(value=rows):
            return "\n\n".join(f"**Returns** {_cell(row.description)}" for row in rows)
        case griffe.DocstringSectionExamples(value=rows):
            prose = griffe.DocstringSectionKind.text
            return "\n\n".join(text if kind is prose else _python(text) for kind, text in rows)
        case griffe.DocstringSectionAdmonition(title=title, value=value):
            return f"**{title or str(value.annotation).capitalize()}**\n\n{_markdown(value.description)}"
        case _:
            return ""


def _signature(name: str, thing: griffe.Object) -> str:
    """The call with its parameters, on one line if it fits."""
    if isinstance(thing, griffe.Attribute):
        return f"{name} = {thing.value}" if thing.value is not None and len(str(thing.value)) < _WIDTH else ""
    if not isinstance(thing, griffe.Function | griffe.Class):
        return ""
    parameters: list[str] = []
    starred = False
    for parameter in thing.parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not starred:
            starred = True
            parameters.append("*")
        starred |= parameter.kind is griffe.ParameterKind.var_positional
        parameters.append(_parameter(parameter, thing))
    returns = ""
    if isinstance(thing, griffe.Function) and thing.returns is not None:
        returns = f" -> {_type(thing.returns)}"
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) <= _WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returns}"


def _parameter(parameter: griffe.Parameter, thing: griffe.Object) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    star = stars.get(parameter.kind, "") if parameter.kind is not None else ""
    text = star + parameter.name
    if parameter.annotation is not None:
        text += f": {_type(parameter.annotation)}"
    if parameter.default is not None and not star:
        equals = " = " if parameter.annotation is not None else "="
        text += f"{equals}{_value(parameter.default, thing)}"
    return text


def _value(default: str | griffe.Expr, thing: griffe.Object) -> str:
    """The default as its reader needs it: the number behind a constant's name, if there is one."""
    member = thing.module.members.get(str(default))
    constant = member.final_target if isinstance(member, griffe.Alias) and member.resolved else member
    return str(constant.value) if isinstance(constant, griffe.Attribute) and constant.value else str(default)


def _methods(thing: griffe.Class) -> list[griffe.Function]:
    """The public methods, those of its own first, each list in its source's order."""
    members = [*thing.members.values(), *thing.inherited_members.values()]
    found = (member.final_target if isinstance(member, griffe.Alias) else member for member in members)
    return [
        member
        for member in found
        if isinstance(member, griffe.Function) and not member.name.startswith("_") and member.docstring is not None
    ]


def _summary(thing: griffe.Object) -> str:
    if thing.docstring is None:
        return ""
    return " ".join(thing.docstring.value.split("\n\n")[0].split())


def _with_default(row: griffe.DocstringParameter, thing: griffe.Object) -> str:
    """The description, with the signature's default where the text does not give it."""
    text = _cell(row.description)
    default = row.default
    if default is None and isinstance(thing, griffe.Function | griffe.Class) and row.name in thing.parameters:
        default = thing.parameters[row.name].default
    if default is None or str(default) == "None" or re.search(r"\bdefault", text, re.IGNORECASE):
        return text
    return f"{text} Defaults to `{_value(default, thing)}`."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _code(annotation: object) -> str:
    return "" if annotation is None else f"`{_type(annotation)}`".replace("|", "\\|")


def _type(annotation: object) -> str:
    return str(annotation).strip("'\"")


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def _markdown(text: str) -> str:
    """A docstring's text as Markdown: its indented blocks as Python, everything else as it is."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        if block.startswith(">>>") or all(line.startswith("    ") for line in lines):
            parts.append(_python(dedent(block)))
        else:
            parts.append(_escaped(block))
    return "\n\n".join(parts)


def _python(code: str) -> str:
    return f"```python\n{code}\n```"


def _escaped(text: str) -> str:
    """The text with angle brackets that are no markup, outside code."""
    return "".join(
        part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(_LITERAL.split(text))
    )


if __name__ == "__main__":
    main()

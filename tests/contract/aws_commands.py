"""AWS CLI 2 as far as botocore's models describe it: finds commands in a text and says what is wrong with one."""

import json
import re
import shlex
from functools import cache
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

PLACEHOLDER = re.compile(r"<[\w -]+>")
GLOBAL = {"--query", "--output", "--region", "--cli-binary-format"}
PAGING = {"--max-items", "--page-size", "--starting-token"}
# Of AWS CLI 2 and of no model. https://awscli.amazonaws.com/v2/documentation/api/latest/reference/logs/tail.html
CUSTOM = {
    ("logs", "tail"): ({"--since", "--follow", "--format", "--filter-pattern"}, 1),
    ("sso", "login"): ({"--profile", "--sso-session", "--no-browser"}, 0),
}
# The answer's body goes to a file that the command line must name.
FILE_FOR_THE_BODY = {("lambda", "invoke")}


def commands_in(text: str) -> list[str]:
    """Every `aws ...` in backticks, in a shell block or after an alarm's label, and those within another's `$(...)`."""
    found = [match[1] for match in re.finditer(r"(?<!`)`((?:eval |aws )[^`]+)`", text)]
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        found += [line for line in whole_lines(block) if line.startswith("aws ")]
    found += re.findall(r"^(?:[A-Z][\w ]*: )((?:eval |aws ).*)$", text, re.MULTILINE)
    return [part for command in found for part in _parts(command)]


def whole_lines(block: str) -> list[str]:
    """The lines of a block of shell, each with what a backslash or an open quote makes part of it."""
    lines: list[str] = []
    open_line = ""
    for line in block.splitlines():
        open_line += line.strip()
        if open_line.endswith(" \\"):
            open_line = open_line.removesuffix("\\")
        elif open_line.count("'") % 2 == 0:
            lines.append(open_line)
            open_line = ""
    return lines


def mistake(command: str) -> str | None:
    """What AWS CLI 2 would refuse, or None."""
    _, service, operation_name, *rest = shlex.split(command)
    if (service, operation_name) in CUSTOM:
        flags, positional = CUSTOM[service, operation_name]
        given = {word for word in rest if word.startswith("--")}
        return None if given <= flags and len(rest) - 2 * len(given) == positional else f"{rest} are not its arguments"
    operation = _operation(service, operation_name)
    if operation is None:
        return f"there is no {service} {operation_name}"
    return _mistake_in_arguments(service, operation, rest)


def _parts(command: str) -> list[str]:
    """The command, with a placeholder for each command that it runs first, and those."""
    parts: list[str] = []
    while (start := command.find("$(")) >= 0:
        end = _closing(command, start + 2)
        parts += _parts(command[start + 2 : end])
        command = command[:start] + "<inner>" + command[end + 1 :]
    for piece in command.split(" && "):
        if piece.startswith("aws "):
            parts.append(piece)
    return parts


def _closing(command: str, begin: int) -> int:
    depth, quoted = 1, False
    for place in range(begin, len(command)):
        character = command[place]
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0:
                return place
    raise ValueError(f"A bracket is not closed: {command}")


def _mistake_in_arguments(service: str, operation: OperationModel, rest: list[str]) -> str | None:
    members = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in operation.input_shape.members.items()}
    given: dict[str, Any] = {}
    positional: list[str] = []
    names: list[str] = []
    values: dict[str, list[str]] = {}
    for word in rest:
        if word.startswith("--"):
            names.append(word)
            values[word] = []
        elif not names or (len(values[names[-1]]) == 1 and not _takes_many(members.get(names[-1]))):
            positional.append(word)
        else:
            values[names[-1]].append(word)
    if len(positional) != ((service, xform_name(operation.name, "-")) in FILE_FOR_THE_BODY):
        return f"{positional} belong to no option"
    for name, words in values.items():
        if name in GLOBAL or (name in PAGING and _pages(service, operation)):
            continue
        switched_off = f"--{name.removeprefix('--no-')}"
        if name not in members and switched_off not in members:
            return f"it has no option {name}"
        member, shape = members.get(name) or members[switched_off]
        given[member] = _value(shape, words)
    report = ParamValidator().validate(given, operation.input_shape)
    if report.has_errors():
        return report.generate_report()
    if "--cli-binary-format" in values and values["--cli-binary-format"] != ["raw-in-base64-out"]:
        return "--cli-binary-format takes raw-in-base64-out"
    if any(shape.type_name == "blob" and name in given for name, shape in operation.input_shape.members.items()) and (
        "--cli-binary-format" not in values
    ):
        return "AWS CLI 2 takes base64 unless --cli-binary-format raw-in-base64-out says otherwise"
    return _mistake_in_enumeration(operation.input_shape, given) or _mistake_in_query(operation, values.get("--query"))


def _takes_many(member: tuple[str, Shape] | None) -> bool:
    return member is not None and isinstance(member[1], ListShape)


def _pages(service: str, operation: OperationModel) -> bool:
    paginators = _client_free_session().get_paginator_model(service)
    return bool(paginators._paginator_config.get(operation.name))  # noqa: SLF001  botocore's


def _value(shape: Shape, words: list[str]) -> Any:
    """What the CLI makes of an option's words; a placeholder becomes something of the right kind."""
    if shape.type_name == "boolean":
        return True
    text = words[0]
    if isinstance(shape, ListShape) and text[:1] not in "[{":
        return [_value(shape.member, [word]) for word in words]
    if text[:1] in ("{", "["):
        return json.loads(text) if shape.type_name in ("structure", "list", "map") else text
    if isinstance(shape, StructureShape):
        if PLACEHOLDER.fullmatch(text):
            return _anything(shape)
        return {
            name: _value(shape.members.get(name, shape), [value])
            for name, value in (pair.split("=", 1) for pair in text.split(","))
        }
    if shape.type_name in ("integer", "long"):
        return 1 if PLACEHOLDER.fullmatch(text) else int(text)
    if shape.type_name in ("double", "float"):
        return 1.0 if PLACEHOLDER.fullmatch(text) else float(text)
    if shape.type_name == "timestamp":
        return "2026-01-31T06:00:00Z" if PLACEHOLDER.fullmatch(text) else text
    return text


def _anything(shape: StructureShape) -> dict[str, Any]:
    return {name: _value(shape.members[name], ["<any>"]) for name in shape.required_members}


def _mistake_in_enumeration(shape: Shape, value: Any) -> str | None:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        found = (_mistake_in_enumeration(shape.members[name], each) for name, each in value.items())
        return next(filter(None, found), None)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return next(filter(None, (_mistake_in_enumeration(shape.member, each) for each in value)), None)
    known = getattr(shape, "enum", [])
    if known and value not in known and not PLACEHOLDER.fullmatch(str(value)):
        return f"{value} is none of {', '.join(known)}"
    return None


def _mistake_in_query(operation: OperationModel, words: list[str] | None) -> str | None:
    if not words:
        return None
    asked = _fields(jmespath.compile(words[0]).parsed)
    unknown = asked - _names(operation.output_shape, frozenset())
    return f"the answer has no {', '.join(sorted(unknown))}" if unknown else None


def _fields(node: dict[str, Any]) -> set[str]:
    own = {node["value"]} if node["type"] == "field" else set()
    return own.union(*(_fields(child) for child in node["children"] if isinstance(child, dict)))


def _names(shape: Shape | None, above: frozenset[str]) -> set[str]:
    if isinstance(shape, ListShape):
        return _names(shape.member, above)
    if not isinstance(shape, StructureShape) or shape.name in above:
        return set()
    inner = (_names(member, above | {shape.name}) for member in shape.members.values())
    return set(shape.members).union(*inner)


@cache
def _client_free_session() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def _operation(service: str, name: str) -> OperationModel | None:
    try:
        model = _client_free_session().get_service_model(service)
    except UnknownServiceError:
        return None
    return next((model.operation_model(each) for each in model.operation_names if xform_name(each, "-") == name), None)

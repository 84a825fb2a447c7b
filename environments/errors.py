"""What is wrong with an environment file, in one line: the file, the key, the mistake, the correction."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable
from typing import cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

ACCOUNT_ADVICE = 'must be a 12-digit string in quotes, e.g. "000000012345" (unquoted, TOML loses leading zeros).'


class EnvironmentFileError(Exception):
    """The error of a wrong environment file; its message has the place and the correction, in one line."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """What the writer may have meant by `word`, or else what is known."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(known)}."


def explain_syntax(where: str, text: str, error: tomllib.TOMLDecodeError) -> str:
    """The syntax error in words; an account number with a leading zero is a syntax error of its own."""
    line = re.search(r"at line (\d+)", str(error))
    if line and re.match(r"\s*account\s*=\s*\d", text.splitlines()[int(line[1]) - 1]):
        return f"{where}: account: {ACCOUNT_ADVICE}"
    if line and (word := re.search(r"=\s*(True|False|yes|no|on|off)\b", text.splitlines()[int(line[1]) - 1], re.I)):
        return f"{where}: is not TOML: {word[1]} in line {line[1]} is no value; write true or false, in small letters."
    return f"{where}: is not TOML: {error}."


def explain(where: str, model: type[BaseModel], error: ValidationError) -> str:
    """The first mistake in `error`, in words. A misspelt key comes first: it makes the key it stands for missing."""
    details = error.errors(include_url=False)
    first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
    key = ".".join(_bare_or_quoted(str(part)) for part in first["loc"])
    mistake = _mistake(key, first, model)
    return f"{where}: {key}: {mistake}" if key else f"{where}: {mistake}"


def _bare_or_quoted(key: str) -> str:
    """As TOML has it written: in quotes unless it is of letters, digits, underscores and hyphens."""
    return key if re.fullmatch(r"[\w-]+", key) else json.dumps(key)


def _mistake(key: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    path, value = detail["loc"], json.dumps(detail["input"], default=str)
    match detail["type"]:
        case "string_pattern_mismatch" if key == "name":
            return f"{value} is no name for an environment; rename the file: lower-case letters, digits and hyphens."
        case "extra_forbidden":
            return f"unknown key. {suggestion(str(path[-1]), _keys(model, path[:-1]))}"
        case "missing":
            return f"is missing; {_how_to_write(model, path)}."
        case "string_type" if key == "account":
            return f"{value} {ACCOUNT_ADVICE}"
        case "literal_error":
            # pydantic writes: 'nat', 'endpoints' or 'public'
            allowed = re.findall(r"[\w-]+", detail["ctx"]["expected"].replace(" or ", " ") if "ctx" in detail else "")
            return f"{value} is unknown. {suggestion(str(detail['input']), allowed)}"
        case "string_pattern_mismatch":
            return f"{value} is not of the right form; write, for example, {_example(model, path)}."
        case "tuple_type" | "list_type":
            return f"{value} is no list; write, for example, {_example(model, path)}."
        case "value_error":
            # Ours: a whole sentence, which names its key where several keys contradict each other.
            return detail["msg"].removeprefix("Value error, ")
        case _:
            return f"{value} is wrong: {detail['msg'][0].lower()}{detail['msg'][1:]}."


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    return [key for key in _section(model, path).model_fields if key != "name"]


def _how_to_write(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    if _section(model, path[:-1]).model_fields[str(path[-1])].examples:
        return f"write, for example, {path[-1]} = {_example(model, path)}"
    return f"write a section [{path[-1]}]"


def _section(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    for part in path:
        if isinstance(part, str):
            found = model.model_fields[part].annotation
            # Of an array of sections, the section.
            model = cast("type[BaseModel]", get_args(found)[0] if get_args(found) else found)
    return model


def _example(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """An example of the value at `path`: of one element, when `path` ends inside an array."""
    names = [part for part in path if isinstance(part, str)]
    example = (_section(model, tuple(names[:-1])).model_fields[names[-1]].examples or [""])[0]
    return json.dumps(example[0] if isinstance(path[-1], int) else example)

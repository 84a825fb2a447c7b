"""Every command, and every option of those of someone on call, is typed in this folder, or has a reason why not."""

import ast
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.commands import COMMANDS

FOLDER = Path(__file__).parent

#: Commands that no story types, and why.
ELSEWHERE = {
    "choose": "it compares systems on paper, and asks no AWS",
    "database schema": "it prints SQL, and asks no AWS; test_database.py has what a database makes of it",
    "export keda": "it reads a template, and asks no AWS",
    "local down": "the real command is typed in test_example_run.py",
    "local install": "it downloads, and tests need no network",
    "local run": "the real command is typed in test_example_run.py",
    "local up": "the real command is typed in test_example_run.py",
    "recommend": "it reads a template, and asks no AWS",
    "simulate": "it reads a template, and asks no AWS",
}

#: Options that no story gives, and why: of every command, or of one.
NOT_GIVEN = {
    "--endpoint": "there is no network to tunnel into",
    "--help": "it asks no AWS",
    "--local": "the environment of the stories is the local one",
    "--profile": "the embedded AWS takes no credentials",
    "--yes": "the local environment is not production, and nobody is asked",
    "account --apply": "the embedded account lacks nothing",
    "status --watch": "only Ctrl-C ends it",
    "status --every": "it goes with --watch",
    "tail --follow": "only Ctrl-C ends it",
}


def leaves(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """The commands below a group that do something themselves."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from leaves(command, *names, name)
        else:
            yield " ".join((*names, name)), command


LEAVES = dict(leaves(typer.main.get_command(app)))
ON_CALL = [
    (name, option)
    for name, command in LEAVES.items()
    if COMMANDS[name.split()[0]][0].startswith("on_call.") or name == "account"
    for parameter in command.params
    if parameter.param_type_name == "option"
    for option in [max(parameter.opts, key=len)]
]


@cache
def typed() -> tuple[tuple[str, ...], ...]:
    """What stories type, in words; what an f-string fills in is left out."""
    found: list[tuple[str, ...]] = []
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            pieces = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "".join(str(each.value) if isinstance(each, ast.Constant) else "X" for each in pieces)
            if text.startswith("fargate-workers ") and file != Path(__file__):
                found.append(tuple(shlex.split(text)[1:]))
    return tuple(found)


def is_typed(name: str, option: str = "") -> bool:
    words = name.split()
    return any(list(each[: len(words)]) == words and (not option or option in each) for each in typed())


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_is_typed_or_has_a_reason_why_not(name: str) -> None:
    assert is_typed(name) != (name in ELSEWHERE), f"type {name} in a story here, or name it in ELSEWHERE with a reason"


@pytest.mark.parametrize(("name", "option"), ON_CALL)
def test_every_option_of_someone_on_call_is_typed_or_has_a_reason_why_not(name: str, option: str) -> None:
    assert is_typed(name, option) or {option, f"{name} {option}"} & NOT_GIVEN.keys(), (
        f"give {option} to {name} in a story here, or name it in NOT_GIVEN with a reason"
    )


def test_no_reason_is_left_over() -> None:
    given = {option for _, option in ON_CALL} | {f"{name} {option}" for name, option in ON_CALL} | {"--help"}

    assert ELSEWHERE.keys() <= LEAVES.keys()
    assert NOT_GIVEN.keys() <= given

"""Commands of `fargate-workers` in a text, and what is wrong with one: it is parsed, and not carried out."""

import re
import shlex
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from fargate_workers_toolkit.command import app

_COMMAND = re.compile(r"(?:^ *|First: |`)(fargate-workers [^`\n]+)", re.MULTILINE)


def operator_commands_in(text: str) -> list[str]:
    """The commands in blocks, in backticks, and of an alarm's text."""
    return [found.strip() for found in _COMMAND.findall(text)]


def operator_mistake(command: str) -> str | None:
    """Why `fargate-workers` refuses a command; None if it takes it."""
    words = shlex.split(command)[1:]
    found: Any = typer.main.get_command(app)
    context = found.context_class(found, info_name="fargate-workers")
    try:
        while isinstance(found, TyperGroup):
            name, *words = words
            inner: Any = found.get_command(context, name)
            if inner is None:
                return f"there is no command {name}"
            context, found = inner.context_class(inner, info_name=name, parent=context), inner
        found.make_context(context.info_name, words, parent=context.parent)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return error.format_message()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    return None

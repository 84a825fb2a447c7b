"""The subcommands by their names, imported one by one: what one of them needs slows down no other."""

from collections.abc import Callable, Mapping
from importlib import import_module

import typer

from fargate_workers_toolkit.errors import MissingPackageError

#: The file of every subcommand, and the function or the group in it, by what is typed.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "account": ("account", "account"),
    "alerts": ("on_call.alerting", "alerts"),
    "choose": ("choose", "choose"),
    "database": ("database", "database"),
    "dead-letters": ("on_call.dead_letters", "dead_letters"),
    "doctor": ("on_call.doctor", "doctor"),
    "drain": ("on_call.pausing", "drain_worker"),
    "export": ("export", "export"),
    "local": ("local", "local"),
    "mute": ("on_call.alerting", "mute_alarms"),
    "pause": ("on_call.pausing", "pause_worker"),
    "recommend": ("recommend", "recommend"),
    "resume": ("on_call.pausing", "resume_worker"),
    "rollback": ("on_call.changing", "rollback_worker"),
    "run": ("on_call.changing", "run_task"),
    "scale": ("on_call.changing", "scale_worker"),
    "simulate": ("simulate", "simulate"),
    "status": ("on_call.status", "status"),
    "tail": ("on_call.tail", "tail"),
    "unmute": ("on_call.alerting", "unmute_alarms"),
}

#: A subcommand, or a group of them.
Command = Callable[..., None] | typer.Typer


def load(name: str) -> Command:
    """The subcommand of a name.

    Args:
        name: One of `COMMANDS`.

    Raises:
        MissingPackageError: A package of the extra `toolkit` is missing or does not fit.
    """
    try:
        file, attribute = COMMANDS[name]
        return getattr(import_module(f"{__package__}.{file}"), attribute)
    except ImportError as error:
        raise MissingPackageError.of(error) from error

"""How a message ended, by the last of its log lines that shows it."""

from collections.abc import Sequence

from fargate_workers_toolkit.operations.messages.log_lines import LogLine

#: The sentence of each event that shows where a message is.
_ENDINGS = {
    "handled": "It is done: delivery {receive_count} was handled.",
    "duplicate": "It is done: its key was done before.",
    "poison": "It died ({reason}), and is no longer among the dead letters: it was replayed, or deleted.",
    "begins_again": "Its attempt {attempt} is under way, or its process died in it.",
    "retry": "It is not done: its handler asked for another attempt.",
    "handler_failed": "It is not done: its attempt {attempt} failed, and it will be delivered again.",
    "released": "It is not done: its attempt failed, and it will be delivered again.",
    "held_elsewhere": "It is not done: another attempt has its key.",
}


def ending_of(lines: Sequence[LogLine]) -> str:
    """The sentence of the last line that shows where the message is; empty where none does.

    Args:
        lines: The message's lines, oldest first.
    """
    for line in reversed(lines):
        if line.event in _ENDINGS:
            return _ENDINGS[line.event].format_map(_Known(line.fields))
    return ""


class _Known(dict[str, object]):
    """Fields, of which an older worker's lines lack some."""

    def __missing__(self, key: str) -> str:
        return "?"

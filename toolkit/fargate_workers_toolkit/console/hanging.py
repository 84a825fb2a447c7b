"""A line of a list, which goes on further in where the terminal is too narrow for it."""

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_FIRST, _THEN = 2, 4


class Hanging:
    """A text that begins two characters in, and whose further lines begin four characters in.

    Args:
        text: The text, without the space before it.
    """

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines that fit into the terminal."""
        lines = self._text.wrap(console, max(1, options.max_width - _THEN))
        for number, line in enumerate(lines or [Text("")]):
            line.rstrip()
            yield Text.assemble(" " * (_THEN if number else _FIRST), line)

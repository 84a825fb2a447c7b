"""Says on standard error what happens; standard output stays for results."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.spinner import spinning

Say = Callable[[str], None]


class Progress:
    """A line for each step when it is done, a spinner while it runs where there is a terminal. Keeps the times."""

    def __init__(self, *, quiet: bool = False) -> None:
        # Rich honours NO_COLOR by itself.
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: str) -> Generator[Say]:
        """Runs a step; the block may say how far it is. A step that fails is marked and the error goes on."""
        started = time.monotonic()
        said = ""
        with spinning(self._console, f"{what} ...") as spinner:

            def say(text: str) -> None:
                nonlocal said
                said = text
                spinner.update(Text(f"{what}: {text}"))

            try:
                yield say
            except BaseException:
                self._print("✗", "red", what, said, time.monotonic() - started)
                raise
        self.seconds[what] = round(time.monotonic() - started, 1)
        self._print("✓", "green", what, said, self.seconds[what])

    def _print(self, mark: str, style: str, what: str, said: str, seconds: float) -> None:
        detail = f": {said}" if said else ""
        line = Text.assemble((mark, style), f" {what}{detail} ", (f"({seconds:.1f} s)", "dim"))
        self._console.print(line, soft_wrap=True)

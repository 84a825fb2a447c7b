"""Progress on standard error; standard output stays for results."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.console.spinner import spinning

#: Receives how far a step is.
Report = Callable[[str], None]


class Progress:
    """A line for each step that is done, and on a terminal a spinner while it runs.

    Args:
        quiet: Whether nothing is shown. Defaults to False.

    Attributes:
        seconds: How long each step took, in seconds by its text.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        # Rich honours NO_COLOR by itself.
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: str) -> Generator[Report]:
        """Run a block as a step. A step that fails is marked, and its error goes on.

        Args:
            what: What the step does.

        Yields:
            A function that shows how far the block is.
        """
        started = time.monotonic()
        reported = ""
        with spinning(self._console, f"{what} ...") as spinner:

            def report(text: str) -> None:
                nonlocal reported
                reported = text
                spinner.update(Text(f"{what}: {text}"))

            try:
                yield report
            except BaseException:
                self._print("✗", "red", what, reported, time.monotonic() - started)
                raise
        self.seconds[what] = round(time.monotonic() - started, 1)
        self._print("✓", "green", what, reported, self.seconds[what])

    def _print(self, mark: str, style: str, what: str, reported: str, seconds: float) -> None:
        detail = f": {reported}" if reported else ""
        line = Text.assemble((mark, style), f" {what}{detail} ", (f"({seconds:.1f} s)", "dim"))
        self._console.print(line, soft_wrap=True)

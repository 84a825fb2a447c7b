"""A spinner for what takes a while."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.status import Status


@contextmanager
def spinning(console: Console, what: str) -> Generator[Status]:
    """Show a spinner on a terminal while the block runs; show nothing elsewhere.

    Args:
        console: The terminal.
        what: What the block does.

    Yields:
        The spinner, whose text the block may change.
    """
    status = console.status(what)
    with status if console.is_terminal else nullcontext():
        yield status

"""A spinner for what takes a while."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.status import Status


@contextmanager
def spinning(console: Console, what: str) -> Generator[Status]:
    """Spins on a terminal while the block runs, which may say how far it is. Elsewhere it would draw for nobody."""
    status = console.status(what)
    with status if console.is_terminal else nullcontext():
        yield status

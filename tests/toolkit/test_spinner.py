"""What is shown while a command works."""

import io
import threading

import pytest
from rich.console import Console

from fargate_workers_toolkit.console.spinner import spinning


@pytest.mark.parametrize(("terminal", "threads"), [(True, 1), (False, 0)])
def test_only_a_terminal_gets_a_thread_that_draws(terminal: bool, threads: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal)
    before = set(threading.enumerate())
    with spinning(console, "Counting ...") as status:
        status.update("Counting: 2")
        assert len(set(threading.enumerate()) - before) == threads

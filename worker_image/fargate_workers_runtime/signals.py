"""SIGTERM and SIGINT: from the first import on until the worker takes them, and never in a child of a handler."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType

#: Variables of which a task has one, and no worker: what it was started for.
STARTS_A_TASK = ("SCHEDULE_NAME", "OBJECT_BUCKET")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# What we have set, and what each thread that is forking must restore.
_handlers: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {}
_masks = threading.local()


def on_stop(stop: Callable[[str], None], *, signals: tuple[signal.Signals, ...] = _SIGNALS) -> None:
    """Call `stop` with the name of each signal that asks this process to end; children die of it as usual."""
    _take(signals, lambda number: stop(signal.Signals(number).name))


def end_at_once(environment: Mapping[str, str]) -> None:
    """Until `on_stop`, let SIGTERM end the process, if it is one of a worker or a task: nothing has begun.

    Python's own exit code would be that of a crash, and as a container's first process it would not see the signal.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or "WORKER_NAME" not in environment:
        return
    if threading.current_thread() is not threading.main_thread():
        return
    is_task = not environment.keys().isdisjoint(STARTS_A_TASK)
    code = 10 if is_task else 0  # a task's work is not done
    _take((signal.SIGTERM,), lambda _number: os._exit(code))


def _take(numbers: tuple[signal.Signals, ...], handle: Callable[[int], object]) -> None:
    def handler(number: int, _frame: FrameType | None) -> None:
        handle(number)

    for number in numbers:
        signal.signal(number, handler)
        _handlers[number] = handler


def _before_fork() -> None:
    # Between the fork and the child's first line, a signal would still be handled as the worker does.
    if _handlers:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _restore_mask() -> None:
    if (before := _masks.__dict__.pop("before", None)) is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_child() -> None:
    for number, handler in _handlers.items():
        if signal.getsignal(number) is handler:  # and not what the program has set since
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _handlers.clear()
    _restore_mask()


os.register_at_fork(before=_before_fork, after_in_parent=_restore_mask, after_in_child=_in_child)

"""Where processes of sweeps and chaos runs are forked from: one server for all, because a process has only one."""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.popen_forkserver import Popen
from multiprocessing.process import BaseProcess

fork = multiprocessing.get_context("forkserver")

# The first has the fault tests' clock, which whatever is imported after it keeps; nothing moves it elsewhere.
fork.set_forkserver_preload(["tests.faults.preload", "tests.chaos.worker", "tests.chaos.function.environment"])

_poll = Popen.poll
_polling = threading.Lock()


def _poll_alone(process: Popen, flag: int = os.WNOHANG) -> int | None:
    """How a process ended: of two threads that ask at once, the second would find nothing left to read, and take 255.

    Whoever starts a process asks for all that were started before.
    """
    if flag != os.WNOHANG and process.returncode is None:
        wait([process.sentinel])
    with _polling:
        return _poll(process)


Popen.poll = _poll_alone


def send_signal_here(signum: signal.Signals) -> None:
    """Send a signal to this process; SIGKILL and SIGSTOP take effect before the next line.

    Linux would give SIGSTOP for a process to its main thread, and this one went on until that had its turn.
    """
    if signum == signal.SIGSTOP:
        signal.pthread_kill(threading.get_ident(), signum)
    else:
        os.kill(os.getpid(), signum)


def send_signal(process: BaseProcess, signum: signal.Signals) -> None:
    """Send a signal to a process, unless it has ended."""
    # The server that it was forked from may know that it has ended, and the exit code not be here yet.
    with suppress(ProcessLookupError):
        if process.exitcode is None:
            assert process.pid
            os.kill(process.pid, signum)

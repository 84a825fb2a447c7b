"""A process ends when its program does, whatever a handler left running, and its children die of signals as usual."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fargate_workers_runtime.process.starting import know_region
from fargate_workers_runtime.process.supervisor import _LIFELINE, end_with_parent
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKER_IMAGE)}


def ended(program: str, *, seconds: float = 30) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, timeout=seconds, check=False
    )


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


LEFT_RUNNING = {
    "thread": "threading.Thread(target=hang).start(); begun.wait()",
    "executor": "pool = concurrent.futures.ThreadPoolExecutor(2); [pool.submit(hang) for _ in range(3)]; begun.wait()",
    "to_thread": "asyncio.run_coroutine_threadsafe(asyncio.to_thread(hang), loop()); begun.wait()",
    "child": "child = multiprocessing.get_context('fork').Process(target=hang); child.start(); print(child.pid)",
    "pool": "pool = multiprocessing.get_context('fork').Pool(1); pool.apply_async(hang); print(pool._pool[0].pid)",
    "exit function": "atexit.register(hang)",
}


@pytest.mark.parametrize("what", LEFT_RUNNING)
def test_nothing_that_a_handler_left_running_holds_a_process_up(what: str, eventually: Eventually) -> None:
    program = f"""
import asyncio, atexit, concurrent.futures, multiprocessing, signal, sys, threading, time
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.handlers.asynchronous import _event_loop as loop
from fargate_workers_runtime.process.ending import end
from fargate_workers_runtime.signals import on_stop
logs.configure("w")
on_stop(lambda why: None)
begun = threading.Event()
def hang():
    begun.set()
    time.sleep(600)
{LEFT_RUNNING[what]}
sys.stdout.flush()
end(3)
"""
    gone = ended(program)
    assert (gone.returncode, gone.stderr) == (3, "")
    for child in map(int, gone.stdout.split()):
        eventually(lambda child=child: not is_alive(child))


def test_a_process_that_finds_no_thread_for_its_end_ends_at_once() -> None:
    program = """
import threading
from fargate_workers_runtime.process.ending import end
threading.Thread(target=threading.Event().wait).start()
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
end(3)
"""
    gone = ended(program)
    assert (gone.returncode, gone.stderr) == (3, "")


def test_what_a_program_does_at_its_end_is_done() -> None:
    program = """
import atexit
from fargate_workers_runtime.process.ending import end
atexit.register(print, "exit function")
try:
    end(0)
finally:
    print("finally")
"""
    gone = ended(program)
    assert (gone.returncode, gone.stdout.split("\n")[:2]) == (0, ["finally", "exit function"])


# Of a handler's thread, as the worker has them, and of the main thread, as a task has.
CHILDREN = """
import multiprocessing, os, signal, sys, threading
from fargate_workers_runtime.signals import on_stop
on_stop(lambda why: print("the worker was stopped", flush=True))
fork = multiprocessing.get_context("fork")

def square(number):
    return number * number

def handle():
    for _ in range(20):
        with fork.Pool(2) as pool:
            assert pool.map(square, range(3)) == [0, 1, 4]
    child = fork.Process(target=signal.pause)
    child.start()
    child.terminate()
    child.join()
    print(child.exitcode, signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)
    theirs = fork.Process(target=lambda: sys.exit(signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a program's own handler, which its children may rely on
        theirs.start()
        theirs.join()
        print(theirs.exitcode, flush=True)
    os._exit(0)

threading.Thread(target=handle).start() if sys.argv[1] == "thread" else handle()
"""


@pytest.mark.parametrize(("of", "said"), [("thread", ["-15 set()"]), ("main", ["-15 set()", "0"])])
def test_children_of_a_handler_die_of_signals_as_in_any_program(of: str, said: list[str]) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", CHILDREN, of],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert gone.stdout.splitlines() == said


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"WORKER_NAME": "w", "QUEUE_URL": "q"}, 0),
        ({"WORKER_NAME": "w", "BROKER": "kafka"}, 0),
        ({"WORKER_NAME": "w", "POSTGRES_HOST": "a relay's"}, 0),
        ({"WORKER_NAME": "w", "SCHEDULE_NAME": "s"}, 10),
        ({"WORKER_NAME": "w", "OBJECT_BUCKET": "b", "QUEUE_URL": "where it sends to"}, 10),
        ({}, -signal.SIGTERM),
    ],
)
def test_a_process_that_is_stopped_while_it_imports_has_not_failed(variables: dict[str, str], code: int) -> None:
    program = "from fargate_workers_runtime import Message; import signal; print('here', flush=True); signal.pause()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**ENVIRONMENT, **variables}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == code


def test_a_process_whose_supervisor_is_gone_stops(eventually: Eventually) -> None:
    why: list[str] = []
    reading, writing = os.pipe()
    environment = {_LIFELINE: str(reading)}
    end_with_parent(environment, why.append)
    assert environment == {}
    os.close(writing)
    eventually(lambda: why == ["its supervisor is gone"])
    os.close(reading)


def test_processes_see_that_their_supervisor_was_killed(tmp_path: Path, eventually: Eventually) -> None:
    child = (
        "import os, pathlib, sys; path = pathlib.Path(sys.argv[1]) / os.environ['FARGATE_WORKERS_PROCESS'];"
        "path.touch(); os.read(int(os.environ['FARGATE_WORKERS_LIFELINE']), 1); path.unlink()"
    )
    program = f"""
import sys
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.process.supervisor import Supervisor
settings = Settings(worker_name="w", queue_url="q", processes=2)
Supervisor(settings, {{}}, command=[sys.executable, "-S", "-c", {child!r}, {str(tmp_path)!r}]).run()
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program], env=ENVIRONMENT)
    eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"AWS_REGION": "a"}, {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "a"}),
        ({"AWS_DEFAULT_REGION": "b"}, {"AWS_REGION": "b", "AWS_DEFAULT_REGION": "b"}),
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}),
        ({"AWS_REGION": ""}, {"AWS_REGION": ""}),
    ],
)
def test_either_variable_of_the_region_does(given: dict[str, str], known: dict[str, str]) -> None:
    know_region(given)
    assert given == known

"""Tries policies, in several processes at once. What comes of it depends neither on their number nor on their speed."""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation import (
    DEFAULTS,
    Assumptions,
    Minutes,
    Policy,
    Result,
    ScaledService,
    missed_percent,
    simulate,
)
from fargate_workers_toolkit.simulation.loads import Load

_ENDING = (signal.SIGINT, signal.SIGTERM)

Results = Sequence[Sequence[Result]]
"""By seed, then by load."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """The service and the loads that every policy is tried with.

    Args:
        service: The service.
        loads: The loads by seed, in the order of `seeds`.
        seeds: The seeds.
        slo: The acceptable age of a message at the end of its work, in seconds.
        checks: Loads that no policy is chosen by the cost of, only by whether it keeps them. Defaults to none.
        assumptions: What AWS does not promise. Defaults to `DEFAULTS`.
    """

    service: ScaledService
    loads: Sequence[Sequence[Load]]
    seeds: Sequence[int]
    slo: float
    checks: Sequence[Load] = ()
    assumptions: Assumptions = DEFAULTS


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One policy to try with some of the seeds.

    Args:
        policy: The policy.
        seeds: The seeds, by index.
        allowed: By seed and load, percent of messages that may be too old; at more the trial ends. Defaults to None:
            all.
        most_hours: Task-hours, of all loads with one seed, that it may cost; once it must cost more, it has no results.
            Defaults to no limit.
        checks: Whether it is tried with the loads to check it by instead. Defaults to False.
    """

    policy: Policy
    seeds: Sequence[int]
    allowed: Sequence[Sequence[float]] | None = None
    most_hours: float = math.inf
    checks: bool = False


class Trials:
    """The processes that try policies. A context: on the way out no process is left, whatever happened.

    Args:
        question: The service and the loads.
        processes: How many work at once; 1 is this one. Defaults to one for each processor that this process may use.
    """

    def __init__(self, question: Question, *, processes: int | None = None) -> None:
        self._question = question
        self._processes = processes or _processors()

    def __enter__(self) -> "Trials":
        self._before = set(multiprocessing.active_children())
        self._executor = None
        if self._processes > 1:
            # Not forked: numpy and the progress bar have threads.
            self._executor = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._question,),
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is None:
            return
        if kind is not None:
            for child in set(multiprocessing.active_children()) - self._before:
                child.terminate()
        self._executor.shutdown(cancel_futures=True)

    def run(self, trials: Sequence[Trial], *, tried: Callable[[], None] = lambda: None) -> list[Results]:
        """The results of each trial, in their order; fewer where one was given up.

        Args:
            trials: The trials.
            tried: Called after each. Defaults to nothing.

        Raises:
            SimulationError: A process was ended from outside.
        """
        if self._executor is None:
            return [self._try_here(trial, tried) for trial in trials]
        with _undisturbed(), _one_thread_each():
            futures: list[Future[Results]] = [self._executor.submit(_try, trial) for trial in trials]
        try:
            for future in as_completed(futures):
                future.result()
                tried()
        except BrokenProcessPool:
            raise SimulationError(
                "A process that tried policies was ended from outside, perhaps for want of memory; try fewer with "
                "--processes, or a shorter load."
            ) from None
        return [future.result() for future in futures]

    def _try_here(self, trial: Trial, tried: Callable[[], None]) -> Results:
        results = list(_by_seed(self._question, trial))
        tried()
        return results


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _undisturbed() -> Generator[None]:
    """A time to start processes: Ctrl-C never reaches them, this process ends them; here it waits until they stand."""
    came: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _ENDING if is_main}
    # What a thread blocks, the processes that it starts block too.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in came:
            signal.raise_signal(number)


@contextmanager
def _one_thread_each() -> Generator[None]:
    """Numpy would start a thread for each processor in each of the processes."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_questions: list[Question] = []


def _begin(question: Question) -> None:
    """Prepare a new process."""
    _questions[:] = [question]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _try(trial: Trial) -> Results:
    return list(_by_seed(_questions[0], trial))


def _by_seed(question: Question, trial: Trial) -> Iterator[Sequence[Result]]:
    service = trial.policy.applied(question.service)
    for index in trial.seeds:
        allowed = None if trial.allowed is None else trial.allowed[index]
        results: list[Result] = []
        loads = question.checks if trial.checks else question.loads[index]
        to_come = sum(_least_hours(load, question) for load in loads)
        for number, load in enumerate(loads):
            result = simulate(
                service, load, slo=question.slo, assumptions=question.assumptions, seed=question.seeds[index]
            )
            results.append(replace(result, minutes=Minutes(), events=()))
            if allowed is not None and missed_percent(result) > allowed[number]:
                yield results
                return
            to_come -= _least_hours(load, question)
            if sum(each.task_hours for each in results) + to_come > trial.most_hours + 0.001:
                return
        yield results


def _least_hours(load: Load, question: Question) -> float:
    """Task-hours without which no policy keeps the SLO: its work, but for what may wait at the end, and for chance."""
    work = float((load.arrivals * load.work_by_second).sum()) / question.service.task.concurrency / 3600
    return 0.95 * work * max(0.0, 1 - question.slo / load.seconds)

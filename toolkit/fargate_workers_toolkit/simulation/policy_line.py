"""A line of Python that asks for a scaling, read and never run: `Scaling.for_latency(max_tasks=20)`."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeGuard, cast, get_args

from fargate_workers_planner.arithmetic import LAUNCH_LATENCY, Mode
from fargate_workers_planner.steps import DEFAULT_STEPS
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.policies import (
    ForLatency,
    ForLatencyInMath,
    Keda,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
)

#: What a line begins with: one of this project's policies, or KEDA's rule beside them.
BEGINS = ("Scaling.", "KEDA(")

_SECONDS = {"millis": 0.001, "seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}


def policy_of(line: str) -> Policy:
    """The policy of a line of Python.

    Args:
        line: A call of a factory method, such as `Scaling.on_queue_depth({100: 2}, max_tasks=20)`, or of
            `KEDA(queue_length=10, max_tasks=20)`.

    Raises:
        SimulationError: It is no such line, or needs values that only a template has.
    """
    try:
        name, positional, named = _parsed(line)
        asked = _ASKED.get(name)
        if asked is None:
            known = ", ".join(each for each in _ASKED if each != _KEDA)
            raise ValueError(f"there is no Scaling.{name} here; use one of {known}.")
        inspect.signature(asked).bind(*positional, **named)
        return asked(*positional, **named)
    except (TypeError, ValueError, SyntaxError) as error:
        what = "is not a line of Python." if isinstance(error, SyntaxError) else f"cannot be simulated: {error}"
        raise SimulationError(f"{line} {what}") from None


class _Tasks(TypedDict):
    min_tasks: int
    max_tasks: int


def _for_latency(
    *,
    acceptable_latency: float = 300,
    processing_time: float | None = None,
    min_tasks: int = 1,
    max_tasks: int = 10,
    mode: Mode = "balanced",
    launch_latency: float = LAUNCH_LATENCY,
    function: bool = True,
) -> Policy:
    if mode not in get_args(Mode):
        raise ValueError(f"mode is {mode!r}; use one of {', '.join(get_args(Mode))}.")
    if function not in (True, False):
        raise ValueError(f"function is {function!r}; use True or False.")
    if processing_time is None and not function:
        raise ValueError("without the function nothing measures how long a message takes; say processing_time.")
    return (ForLatency if function else ForLatencyInMath)(
        acceptable_latency=round(_positive("acceptable_latency", acceptable_latency)),
        processing_time=_positive("processing_time", 1 if processing_time is None else processing_time),
        mode=mode,
        launch_latency=round(_positive("launch_latency", launch_latency)),
        **_tasks(min_tasks, max_tasks, least=0),
    )


def _on_queue_depth(steps: object = None, *, min_tasks: int = 1, max_tasks: int = 10) -> Policy:
    tasks = _tasks(min_tasks, max_tasks, least=1)
    growing = _growing(DEFAULT_STEPS if steps is None else steps)
    if steps is None:
        # A step is never needed where the one before it fills the room.
        room, before = max_tasks - min_tasks, [0, *(add for _, add in growing)]
        growing = tuple(step for step, added in zip(growing, before, strict=False) if added < room)
    return OnQueueDepth(steps=growing, **tasks)


def _growing(steps: object) -> tuple[tuple[int, int], ...]:
    """Without the step at 1, which only wakes a service."""
    if not _are_steps(steps):
        raise ValueError("steps are depths and the tasks they add; write, for example, {100: 2, 500: 5}.")
    growing = [(depth, add) for depth, add in steps.items() if depth != 1]
    added = [add for _, add in growing]
    if not growing or min(min(step) for step in growing) < 1 or growing != sorted(growing) or added != sorted({*added}):
        raise ValueError("depths and the tasks they add must rise; write, for example, {100: 2, 500: 5}.")
    return tuple(growing)


def _are_steps(value: object) -> TypeGuard[Mapping[int, int]]:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(number, int) for step in cast("Mapping[object, object]", value).items() for number in step)


def _on_backlog_per_task(messages: int, *, min_tasks: int = 1, max_tasks: int = 10) -> Policy:
    return OnBacklogPerTask(messages=round(_positive("messages", messages)), **_tasks(min_tasks, max_tasks, least=1))


def _keda(*, queue_length: int = 5, min_tasks: int = 1, max_tasks: int = 10, grace: int = 915) -> Policy:
    return Keda(
        queue_length=max(1, round(_positive("queue_length", queue_length))),
        grace=round(_positive("grace", grace)),
        **_tasks(min_tasks, max_tasks, least=0),
    )


#: Not a name of Python, so that it is none of a factory method.
_KEDA = "KEDA()"

_ASKED: Mapping[str, Callable[..., Policy]] = {
    "for_latency": _for_latency,
    "on_queue_depth": _on_queue_depth,
    "on_backlog_per_task": _on_backlog_per_task,
    _KEDA: _keda,
}


def _parsed(line: str) -> tuple[str, list[Any], dict[str, Any]]:
    match ast.parse(line.strip(), mode="eval").body:
        case ast.Call(ast.Attribute(ast.Name("Scaling"), name), positional, named):
            return name, [_value(each) for each in positional], {each.arg or "**": _value(each.value) for each in named}
        case ast.Call(ast.Name("KEDA"), positional, named):
            return (
                _KEDA,
                [_value(each) for each in positional],
                {each.arg or "**": _value(each.value) for each in named},
            )
        case _:
            raise ValueError("write, for example, Scaling.for_latency(max_tasks=20).")


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(ast.Attribute(ast.Name("Duration"), unit), [amount], []) if unit in _SECONDS:
            return _positive("a duration", ast.literal_eval(amount)) * _SECONDS[unit]
        case _:
            try:
                return ast.literal_eval(node)
            except ValueError:
                raise ValueError(
                    "it may hold numbers, names in quotes, steps and durations, and nothing else."
                ) from None


def _tasks(min_tasks: object, max_tasks: object, *, least: int) -> _Tasks:
    if not isinstance(min_tasks, int) or not isinstance(max_tasks, int) or not least <= min_tasks <= max_tasks >= 1:
        raise ValueError(f"it needs whole numbers of tasks, {least} <= min_tasks <= max_tasks.")
    return {"min_tasks": min_tasks, "max_tasks": max_tasks}


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value!r}; use a number above 0.")
    return value

"""This project's planner in a simulation: its own arithmetic, byte for byte what would be deployed."""

import dataclasses
import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from fargate_workers_planner import arithmetic, partitions
from fargate_workers_planner.backlog import split_backlog
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import PlannerUse, Source
from fargate_workers_toolkit.templates import Assembly

Datapoint = TypeVar("Datapoint")

ARITHMETIC = "arithmetic.py"
# The package of the function, and its name in assemblies of before.
PACKAGES = ("fargate_workers_planner", "scaling_planner")
ASSET_METADATA = "aws:asset:path"

# What the planner may observe, by the names of its code.
KNOWN = frozenset({"visible", "in_flight", "oldest_age", "desired", "running", "arrivals", "work", "groups"})


def find_code(path: Path, assembly: Assembly) -> Path | None:
    """The planner's arithmetic: in the assets of the assembly's functions; else in the installed planner.

    Args:
        path: The folder of the assembly.
        assembly: The assembly.
    """
    return next((code for package in _packages(path, assembly) if (code := package / ARITHMETIC).is_file()), None)


def _packages(path: Path, assembly: Assembly) -> Iterator[Path]:
    for function in assembly.resources(type="AWS::Lambda::Function"):
        asset = function.metadata.get(ASSET_METADATA)
        if isinstance(asset, str):
            # Stages name the folder from where they are; all assets lie next to the outermost manifest.
            yield from (path / Path(asset).name / package for package in PACKAGES)
    yield Path(arithmetic.__file__).parent


class WorkerPlanner:
    """The planner of one worker, once a minute, with what the deployed function would read.

    Args:
        use: The worker, its policy and the planner's code.
        assumptions: What AWS does not promise.

    Raises:
        SimulationError: The code was not found, or does not fit the policy or the simulator.
    """

    def __init__(self, use: PlannerUse, *, assumptions: Assumptions) -> None:
        if use.code is None:
            code = f"{PACKAGES[0]}/{ARITHMETIC}"
            raise SimulationError(f"{use.worker} follows a planner whose code, {code}, was not found.")
        self._module = _load(use.code)
        try:
            self._policy = self._module.Policy(**use.policy)
        except (TypeError, ValueError) as error:
            raise SimulationError(f"The planner's policy of {use.worker} does not fit its code: {error}.") from None
        wanted = {field.name for field in dataclasses.fields(self._module.Observation)}
        self._unwanted = KNOWN - wanted
        unknown = wanted - KNOWN
        if unknown:
            raise SimulationError(f"The planner observes {min(unknown)}, which the simulator does not know.")
        self._partitions = use.partitions
        if self._partitions is not None:
            self._policy = dataclasses.replace(
                self._policy, launch_latency=self._policy.launch_latency + partitions.REBALANCE
            )
        self._plan, self._observe = self._module.plan, self._module.Observation
        history: int = self._module.HISTORY
        self._arrivals = _Late[float](minutes=math.ceil(assumptions.queue_lag / 60), history=history)
        self._groups = _Late[float | None](minutes=math.ceil(assumptions.queue_lag / 60), history=history)
        self._work = _Late[tuple[float, float] | None](minutes=math.ceil(assumptions.worker_lag / 60), history=history)
        self._late = (
            _Late[tuple[float, float]](minutes=math.ceil(assumptions.queue_lag / 60), history=1) if use.late else None
        )
        self._aimed_at: list[float | None] = []

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        """The metrics that the planner publishes at the end of a minute.

        Args:
            seen: The minute.
            desired: The desired tasks.
        """
        visible, in_flight = self._counted(seen)
        known = {
            "visible": visible,
            "in_flight": in_flight,
            "oldest_age": seen.oldest_age,
            "desired": desired,
            "running": seen.running,
            "arrivals": self._arrivals.after(seen.sent),
            "groups": () if seen.groups is None else self._groups.after(seen.groups),
            "work": self._work.after((seen.work_seconds, seen.handled) if seen.handled else None),
        }
        for name in self._unwanted:
            del known[name]
        observed = self._observe(**known)
        plan = self._plan(self._policy, observed)
        if self._partitions is not None:
            plan = partitions.settled(
                plan,
                self._policy,
                observed,
                partitions=self._partitions,
                earlier=self._aimed_at,
                rebalances=False,
            )
            self._aimed_at = [*self._aimed_at[-partitions.CALM_MINUTES :], plan.desired_tasks]
        return {
            "planned_tasks": plan.desired_tasks,
            "capacity_gap": plan.gap_out,
            "capacity_gap_in": plan.gap_in,
            "backlog_seconds": plan.backlog_seconds,
        }

    def _counted(self, seen: Observation) -> tuple[float, float]:
        """Messages that wait, and those in flight, as the deployed function would count them."""
        if self._late is None:
            return seen.visible, seen.in_flight
        counted = self._late.after((seen.visible, seen.in_flight))
        visible, in_flight = counted[-1] if counted else (0.0, 0.0)
        if self._partitions is None:
            return visible, in_flight
        # A group's lag counts what is in flight, too.
        return split_backlog(visible + in_flight, running=seen.running, concurrency=self._policy.concurrency)


class _Late(Generic[Datapoint]):
    """A metric of which the newest minutes are still on their way, and as many seen as the planner looks at."""

    def __init__(self, *, minutes: int, history: int) -> None:
        self._minutes = minutes
        self._history = history
        self._coming: list[Datapoint] = []
        self._seen: list[Datapoint] = []

    def after(self, datapoint: Datapoint) -> Sequence[Datapoint]:
        """What is seen after one more minute; the same list every time."""
        coming, seen = self._coming, self._seen
        coming.append(datapoint)
        if len(coming) > self._minutes:
            seen.append(coming.pop(0))
            if len(seen) > self._history:
                del seen[0]
        return seen


def _load(code: Path) -> ModuleType:
    """Each file once, however often it is asked for."""
    name = f"planner_{sha256(code.read_bytes()).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, code)
        if spec is None or spec.loader is None:
            raise SimulationError(f"{code} is not Python.")
        # Dataclasses look their module up while it is loaded.
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]

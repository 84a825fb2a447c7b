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

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.seen import Seen
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.model import PlannerUse, Source
from fargate_workers_toolkit.template import Assembly

Datapoint = TypeVar("Datapoint")

CODE = Path("scaling_planner", "arithmetic.py")
ASSET_METADATA = "aws:asset:path"

# What the planner may observe, by the names of its code.
KNOWN = frozenset({"visible", "in_flight", "oldest_age", "desired", "running", "arrivals", "work"})


def find_code(path: Path, assembly: Assembly) -> Path | None:
    """The planner's arithmetic: in the assets of the assembly's functions; else installed beside this toolkit."""
    return next((code for folder in _folders(path, assembly) if (code := folder / CODE).is_file()), None)


def _folders(path: Path, assembly: Assembly) -> Iterator[Path]:
    for function in assembly.resources(type="AWS::Lambda::Function"):
        asset = function.metadata.get(ASSET_METADATA)
        if isinstance(asset, str):
            # Stages name the folder from where they are; all assets lie beside the outermost manifest.
            yield path / Path(asset).name
    for package, inside in (("scaling_planner", ".."), ("fargate_workers", "lambda_src")):
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            yield Path(location, inside)


class WorkerPlanner:
    """Plans for one worker, once a minute, with what the deployed function would read."""

    def __init__(self, use: PlannerUse, *, assumptions: Assumptions) -> None:
        if use.code is None:
            raise SimulationError(f"{use.worker} follows a planner whose code, {CODE}, was not found.")
        self._module = _load(use.code)
        try:
            self._policy = self._module.Policy(**use.policy)
        except (TypeError, ValueError) as error:
            raise SimulationError(f"The planner's policy of {use.worker} does not fit its code: {error}.") from None
        self._wanted = [field.name for field in dataclasses.fields(self._module.Observation)]
        unknown = set(self._wanted) - KNOWN
        if unknown:
            raise SimulationError(f"The planner observes {min(unknown)}, which the simulator does not know.")
        self._plan, self._observe = self._module.plan, self._module.Observation
        history: int = self._module.HISTORY
        self._arrivals = _Late[float](minutes=math.ceil(assumptions.queue_lag / 60), history=history)
        self._work = _Late[tuple[float, float] | None](minutes=math.ceil(assumptions.worker_lag / 60), history=history)

    def plan(self, seen: Seen, *, desired: int) -> Mapping[Source, float]:
        """What the planner publishes at the end of a minute."""
        known = {
            "visible": seen.visible,
            "in_flight": seen.in_flight,
            "oldest_age": seen.oldest_age,
            "desired": desired,
            "running": seen.running,
            "arrivals": self._arrivals.after(seen.sent),
            "work": self._work.after((seen.work_seconds, seen.handled) if seen.handled else None),
        }
        if len(self._wanted) < len(known):
            known = {name: known[name] for name in self._wanted}
        plan = self._plan(self._policy, self._observe(**known))
        return {
            "planned_tasks": plan.desired_tasks,
            "capacity_gap": plan.gap_out,
            "capacity_gap_in": plan.gap_in,
            "backlog_seconds": plan.backlog_seconds,
        }


class _Late(Generic[Datapoint]):
    """A metric of which the newest minutes are still on their way, and as many seen as the planner looks at."""

    def __init__(self, *, minutes: int, history: int) -> None:
        self._minutes = minutes
        self._history = history
        self._coming: list[Datapoint] = []
        self._seen: list[Datapoint] = []

    def after(self, datapoint: Datapoint) -> Sequence[Datapoint]:
        """What is seen after one more minute; the same list every time."""
        self._coming.append(datapoint)
        if len(self._coming) > self._minutes:
            self._seen.append(self._coming.pop(0))
            if len(self._seen) > self._history:
                del self._seen[0]
        return self._seen


def _load(code: Path) -> ModuleType:
    """Each file once, however often it is asked for."""
    name = f"scaling_planner_{sha256(code.read_bytes()).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, code)
        if spec is None or spec.loader is None:
            raise SimulationError(f"{code} is not Python.")
        # Dataclasses look their module up while it is loaded.
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]

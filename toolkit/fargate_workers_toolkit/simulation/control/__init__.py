"""What decides, once a minute, how many tasks there should be."""

from fargate_workers_toolkit.simulation.control.actions_by_minute import actions_by_minute
from fargate_workers_toolkit.simulation.control.control import Control, Planner
from fargate_workers_toolkit.simulation.control.function_control import FunctionControl, as_a_function
from fargate_workers_toolkit.simulation.control.keda import KedaControl
from fargate_workers_toolkit.simulation.control.metric_feed import minutes_late
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.control.planner import WorkerPlanner, find_code

__all__ = [
    "Control",
    "FunctionControl",
    "KedaControl",
    "Observation",
    "Planner",
    "WorkerPlanner",
    "actions_by_minute",
    "as_a_function",
    "find_code",
    "minutes_late",
]

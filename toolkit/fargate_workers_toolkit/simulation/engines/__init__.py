"""Two ways to work messages off: fluid, in parts of messages, and exact, one by one."""

from fargate_workers_toolkit.simulation.engines.exact import ExactRun
from fargate_workers_toolkit.simulation.engines.fluid import CHUNK, FluidRun

__all__ = ["CHUNK", "ExactRun", "FluidRun"]

"""The fluid engine: messages in parts, a second at a time."""

from fargate_workers_toolkit.simulation.engines.fluid.queue import CHUNK
from fargate_workers_toolkit.simulation.engines.fluid.run import FluidRun

__all__ = [
    "CHUNK",
    "FluidRun",
]

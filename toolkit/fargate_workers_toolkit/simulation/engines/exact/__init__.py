"""The exact engine: every message by itself."""

from fargate_workers_toolkit.simulation.engines.exact.run import ExactRun

__all__ = [
    "ExactRun",
]

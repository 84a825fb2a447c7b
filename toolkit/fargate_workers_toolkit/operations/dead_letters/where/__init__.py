"""The filter of dead letters: read, never run as code."""

from fargate_workers_toolkit.operations.dead_letters.where.parser import Filter
from fargate_workers_toolkit.operations.dead_letters.where.tokens import FilterError

__all__ = ["Filter", "FilterError"]

"""What an operator does with deployed workers, a room for each subject: the commands are thin over it."""

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.clock import Clock, WallClock
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.origin import dead_letters_of, source_of
from fargate_workers_toolkit.operations.redriving import redrive

__all__ = [
    "Clock",
    "OperationsError",
    "WallClock",
    "dead_letters_of",
    "redrive",
    "source_of",
    "tags",
]

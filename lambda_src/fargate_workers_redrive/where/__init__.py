"""The filter of dead letters: read, never run as code. The redrive function and the commands of operators share it."""

from fargate_workers_redrive.where.conditions import FIELDS
from fargate_workers_redrive.where.letter import Letter
from fargate_workers_redrive.where.parser import Filter
from fargate_workers_redrive.where.tokens import FilterError

__all__ = ["FIELDS", "Filter", "FilterError", "Letter"]

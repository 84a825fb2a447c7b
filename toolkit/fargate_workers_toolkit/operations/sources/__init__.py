"""Sources of work, as an operator sees them."""

from fargate_workers_toolkit.operations.sources.opening import open_source
from fargate_workers_toolkit.operations.sources.source import (
    DeadLetter,
    DeadLetterStore,
    Depth,
    Source,
    UnreachableError,
)

__all__ = ["DeadLetter", "DeadLetterStore", "Depth", "Source", "UnreachableError", "open_source"]

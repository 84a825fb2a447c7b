"""The app that runs here: the files it is made of, its synthesized stacks, and their resources' names."""

from fargate_workers_toolkit.local.app.inventory import items_of, show
from fargate_workers_toolkit.local.app.sources import digest
from fargate_workers_toolkit.local.app.synthesis import Selection, Synthesis

__all__ = [
    "Selection",
    "Synthesis",
    "digest",
    "items_of",
    "show",
]

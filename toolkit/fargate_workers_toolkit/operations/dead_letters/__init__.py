"""Dead letters: looked at, replayed, purged."""

from fargate_workers_toolkit.operations.dead_letters.choice import Choice
from fargate_workers_toolkit.operations.dead_letters.groups import Group, Groups
from fargate_workers_toolkit.operations.dead_letters.journal import journal_folder
from fargate_workers_toolkit.operations.dead_letters.pace import seconds_for
from fargate_workers_toolkit.operations.dead_letters.purging import Purged, purge
from fargate_workers_toolkit.operations.dead_letters.reading import Pass, passing
from fargate_workers_toolkit.operations.dead_letters.replaying import Replayed, replay
from fargate_workers_toolkit.operations.dead_letters.shape import shape
from fargate_workers_toolkit.operations.dead_letters.where import Filter, FilterError

__all__ = [
    "Choice",
    "Filter",
    "FilterError",
    "Group",
    "Groups",
    "Pass",
    "Purged",
    "Replayed",
    "journal_folder",
    "passing",
    "purge",
    "replay",
    "seconds_for",
    "shape",
]

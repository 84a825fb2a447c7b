"""What an operator changes by hand: a run now, an earlier revision, more tasks for a while."""

from fargate_workers_toolkit.operations.changes.objects import (
    ObjectTask,
    S3Object,
    find_object,
    find_object_task,
    run_for_object,
)
from fargate_workers_toolkit.operations.changes.revisions import Revision, before_current, revisions_of, roll_back
from fargate_workers_toolkit.operations.changes.running import Scheduled, find_scheduled, run_now, scheduled_tasks
from fargate_workers_toolkit.operations.changes.scaling_by_hand import scale

__all__ = [
    "ObjectTask",
    "Revision",
    "S3Object",
    "Scheduled",
    "before_current",
    "find_object",
    "find_object_task",
    "find_scheduled",
    "revisions_of",
    "roll_back",
    "run_for_object",
    "run_now",
    "scale",
    "scheduled_tasks",
]

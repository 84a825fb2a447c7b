"""What an operator does with deployed workers: the commands are thin over it, and a console may be."""

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.alerting import (
    Alarm,
    Mute,
    alarms_of,
    mute,
    subscribers,
    try_alarms,
)
from fargate_workers_toolkit.operations.changes import (
    Revision,
    Scheduled,
    before_current,
    find_scheduled,
    revisions_of,
    roll_back,
    run_now,
    scale,
    scheduled_tasks,
)
from fargate_workers_toolkit.operations.clock import Clock, WallClock
from fargate_workers_toolkit.operations.dead_letters import (
    Choice,
    Filter,
    Groups,
    Purged,
    Replayed,
    journal_folder,
    passing,
    purge,
    replay,
    seconds_for,
    shape,
)
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.examination import Check, Finding, examine
from fargate_workers_toolkit.operations.messages import (
    LEVELS,
    LogLine,
    Story,
    Wanted,
    follow_lines,
    log_lines,
    story_of,
)
from fargate_workers_toolkit.operations.origin import dead_letters_of, source_of
from fargate_workers_toolkit.operations.pauses import Pause, drain, pause, resume
from fargate_workers_toolkit.operations.places import Aws, Place, find_place
from fargate_workers_toolkit.operations.redriving import redrive
from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore, Source, open_source
from fargate_workers_toolkit.operations.state import Status, read_states
from fargate_workers_toolkit.operations.workers import (
    Worker,
    find_worker,
    find_workers,
    nothing_deployed,
    service_of,
    task_settings,
)

__all__ = [
    "LEVELS",
    "Alarm",
    "Aws",
    "Check",
    "Choice",
    "Clock",
    "DeadLetter",
    "DeadLetterStore",
    "Filter",
    "Finding",
    "Groups",
    "LogLine",
    "Mute",
    "OperationsError",
    "Pause",
    "Place",
    "Purged",
    "Replayed",
    "Revision",
    "Scheduled",
    "Source",
    "Status",
    "Story",
    "WallClock",
    "Wanted",
    "Worker",
    "alarms_of",
    "before_current",
    "dead_letters_of",
    "drain",
    "examine",
    "find_place",
    "find_scheduled",
    "find_worker",
    "find_workers",
    "follow_lines",
    "journal_folder",
    "log_lines",
    "mute",
    "nothing_deployed",
    "open_source",
    "passing",
    "pause",
    "purge",
    "read_states",
    "redrive",
    "replay",
    "resume",
    "revisions_of",
    "roll_back",
    "run_now",
    "scale",
    "scheduled_tasks",
    "seconds_for",
    "service_of",
    "shape",
    "source_of",
    "story_of",
    "subscribers",
    "tags",
    "task_settings",
    "try_alarms",
]

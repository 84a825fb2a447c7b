"""What a worker logs, and what became of one message."""

from fargate_workers_toolkit.operations.messages.log_lines import LEVELS, LogLine, Wanted, follow_lines, log_lines
from fargate_workers_toolkit.operations.messages.story import ClaimState, Story, story_of

__all__ = ["LEVELS", "ClaimState", "LogLine", "Story", "Wanted", "follow_lines", "log_lines", "story_of"]

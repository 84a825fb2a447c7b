"""What writes to a terminal."""

from fargate_workers_toolkit.console.columns import show_columns
from fargate_workers_toolkit.console.hanging import Hanging
from fargate_workers_toolkit.console.progress import Progress, Report
from fargate_workers_toolkit.console.spinner import spinning
from fargate_workers_toolkit.console.words import counted, in_words, moment

__all__ = ["Hanging", "Progress", "Report", "counted", "in_words", "moment", "show_columns", "spinning"]

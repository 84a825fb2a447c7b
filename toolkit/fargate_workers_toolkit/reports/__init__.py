"""What people see of a simulation: page, plots, text."""

from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.plot import plot
from fargate_workers_toolkit.reports.report import show
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.reports.verdict import verdict_of

__all__ = ["Study", "page", "plot", "show", "verdict_of"]

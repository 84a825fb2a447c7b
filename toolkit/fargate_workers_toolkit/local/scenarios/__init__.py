"""Scenarios: what a run feeds to a deployed app, what it sees of it, and what must come of it."""

from fargate_workers_toolkit.console import Report
from fargate_workers_toolkit.local.scenarios.checks import Check, check, check_same
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.local.scenarios.mailbox import Mail, Mailbox
from fargate_workers_toolkit.local.scenarios.running_system import Backlog, RunningSystem, Service, TaskProcess
from fargate_workers_toolkit.local.scenarios.scenario import Scenario, every_service_runs, load
from fargate_workers_toolkit.local.scenarios.summary import Summary

__all__ = [
    "Backlog",
    "Check",
    "Deployed",
    "Mail",
    "Mailbox",
    "Report",
    "RunningSystem",
    "Scenario",
    "Service",
    "Summary",
    "TaskProcess",
    "check",
    "check_same",
    "every_service_runs",
    "load",
]

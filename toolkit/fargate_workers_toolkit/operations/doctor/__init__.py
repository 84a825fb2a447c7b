"""The examination of an environment: what is wrong with it, and what to type then."""

from fargate_workers_toolkit.operations.doctor.check import Check, Finding
from fargate_workers_toolkit.operations.doctor.examining import CHECKS, examine

__all__ = ["CHECKS", "Check", "Finding", "examine"]

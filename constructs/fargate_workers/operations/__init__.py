"""What an operator looks at or starts while the system runs."""

from fargate_workers.operations.access import OperatorAccess, ReaderAccess
from fargate_workers.operations.dashboard import Dashboard
from fargate_workers.operations.dead_letter_redrive import DeadLetterRedrive

__all__ = ["Dashboard", "DeadLetterRedrive", "OperatorAccess", "ReaderAccess"]

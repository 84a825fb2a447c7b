"""Whether an AWS account is ready for a first deployment, and what it lacks."""

from fargate_workers_toolkit.account import needs
from fargate_workers_toolkit.account.checks import SERVICES_WITH_ROLES, Answer, ask, make_service_role
from fargate_workers_toolkit.account.errors import AccountError, in_a_sentence

__all__ = ["SERVICES_WITH_ROLES", "AccountError", "Answer", "ask", "in_a_sentence", "make_service_role", "needs"]

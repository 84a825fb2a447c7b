"""IAM: statements and policies as plain values, and roles for AWS's services."""

from fargate_workers.cloudformation.permissions.customized_role import CustomizedRole
from fargate_workers.cloudformation.permissions.policies import allow, in_policies
from fargate_workers.cloudformation.permissions.service_role import ServiceRole, service_role

__all__ = [
    "CustomizedRole",
    "ServiceRole",
    "allow",
    "in_policies",
    "service_role",
]

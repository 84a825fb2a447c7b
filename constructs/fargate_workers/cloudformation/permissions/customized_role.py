"""A service's role where other people make the roles; only the CDK's own classes heed `iam.Role.customize_roles`."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.cloudformation.permissions.policies import Statement
from fargate_workers.cloudformation.pseudo_parameters import account


def customized(scope: Construct) -> bool:
    """Whether the roles in `scope` are made by others; the CDK then reports what each must be allowed."""
    return scope.node.try_get_context("@aws-cdk/iam:customizeRoles") is not None


class CustomizedRole:
    """A role and its one policy, which the CDK writes into its report; the same to use as a `ServiceRole`."""

    def __init__(
        self, scope: Construct, service: str, statements: Sequence[Statement], *, only_for_this_account: bool
    ) -> None:
        conditions = {"StringEquals": {"aws:SourceAccount": account()}} if only_for_this_account else None
        principal = cast("iam.IPrincipal", iam.ServicePrincipal(service, conditions=conditions))
        self.role: iam.Role = iam.Role(scope, "Role", assumed_by=principal)
        self.policy: iam.ManagedPolicy = iam.ManagedPolicy(
            scope,
            "Policy",
            document=iam.PolicyDocument.from_json({"Version": "2012-10-17", "Statement": list(statements)}),
            roles=[cast("iam.IRole", self.role)],
        )
        self.policies: list[iam.ManagedPolicy] = [self.policy]

    @property
    def role_arn(self) -> str:
        return self.role.role_arn

    def permit(self, statements: Sequence[Statement]) -> None:
        """Allow `statements`; equal ones are merged when the policy is written."""
        self.policy.add_statements(*(iam.PolicyStatement.from_json(dict(statement)) for statement in statements))

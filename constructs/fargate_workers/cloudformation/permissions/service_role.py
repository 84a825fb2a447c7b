"""A role for one AWS service of this account, and the managed policy that is all it may do."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.cloudformation.permissions.customized_role import CustomizedRole, customized
from fargate_workers.cloudformation.permissions.policies import Statement, in_policies, policy_document
from fargate_workers.cloudformation.pseudo_parameters import account


class ServiceRole:
    """A role and its policies: one, or as many as its statements fill."""

    def __init__(self, scope: Construct, trust: Statement, statements: Sequence[Statement]) -> None:
        self._scope = scope
        self.policies: list[iam.CfnManagedPolicy] = []
        self._make(statements)
        self.role: iam.CfnRole = iam.CfnRole(
            scope,
            "Role",
            assume_role_policy_document=policy_document([trust]),
            managed_policy_arns=[*self.policies],
        )

    def permit(self, statements: Sequence[Statement]) -> None:
        """Allow `statements` in the place of all that was allowed before."""
        if self._make(statements):
            self.role.managed_policy_arns = [policy.ref for policy in self.policies]

    def _make(self, statements: Sequence[Statement]) -> bool:
        """Write the policies; whether there are more of them now."""
        before = len(self.policies)
        for number, part in enumerate(in_policies(statements), start=1):
            if number <= len(self.policies):
                self.policies[number - 1].policy_document = policy_document(part)
            else:
                name = "Policy" if number == 1 else f"Policy{number}"
                policy = iam.CfnManagedPolicy(self._scope, name, policy_document=policy_document(part))
                self.policies.append(policy)
        return len(self.policies) > before

    @property
    def role_arn(self) -> str:
        return self.role.attr_arn


def service_role(
    scope: Construct,
    service: str,
    statements: Sequence[Statement],
    *,
    only_for_this_account: bool = True,
) -> ServiceRole | CustomizedRole:
    """`only_for_this_account` names the account in the trust policy; Lambda is the one that does not send it."""
    if customized(scope):
        return CustomizedRole(scope, service, statements, only_for_this_account=only_for_this_account)
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if only_for_this_account:
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": account()}}
    return ServiceRole(scope, trust, statements)

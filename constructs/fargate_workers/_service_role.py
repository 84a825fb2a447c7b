"""A role for one AWS service of this account, and the managed policy that is all it may do."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers._aws import account


class ServiceRole(NamedTuple):
    policy: iam.CfnManagedPolicy
    role: iam.CfnRole


def allow(actions: Sequence[str], *resources: str, conditions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return statement if conditions is None else {**statement, "Condition": conditions}


def policy_document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def service_role(
    scope: Construct,
    service: str,
    statements: Sequence[Mapping[str, Any]],
    *,
    only_for_this_account: bool = True,
) -> ServiceRole:
    """`only_for_this_account` names the account in the trust policy; Lambda is the one that does not send it."""
    policy = iam.CfnManagedPolicy(scope, "Policy", policy_document=policy_document(statements))
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if only_for_this_account:
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": account()}}
    role = iam.CfnRole(
        scope,
        "Role",
        assume_role_policy_document={"Version": "2012-10-17", "Statement": [trust]},
        managed_policy_arns=[policy],
    )
    return ServiceRole(policy, role)

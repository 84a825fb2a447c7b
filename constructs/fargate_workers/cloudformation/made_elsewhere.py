"""What was made elsewhere: refused where it can never work, or announced with what only its owner can add."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Annotations, IResource
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from fargate_workers.cloudformation.pseudo_parameters import known_in, region_of, stack_of
from fargate_workers.cloudformation.tokens import has_token
from fargate_workers.errors import ConfigurationError

Statement = Mapping[str, Any]

KEY_WAY_OUT = "a key encrypts in its own region only: give one of this region, or the replica that is here"


def check_place(scope: Construct, what: str, thing: IResource, *, way_out: str, any_account: bool = False) -> None:
    """Let `thing` be of the account and region of the stack of `scope`.

    Raises ConfigurationError when it is not. A stack that may go anywhere gets a warning instead, for nothing is known
    then.
    """
    stack = stack_of(scope)
    if known_in(thing, stack):
        return
    place = thing.env
    compared = [("region", place.region, region_of(stack))]
    if not any_account:
        compared.append(("account", place.account, stack.account))
    for kind, its, ours in compared:
        if its == ours or has_token(its):
            continue
        if has_token(ours):
            announce(scope, f"{what}:{kind}", f"{what} is of {kind} {its}; deploy this stack there.")
        else:
            raise ConfigurationError(
                f"{scope.node.path}: {what} is of {kind} {its} and this stack of {ours}; {way_out}."
            )


def check_cluster(id: str, cluster: object) -> None:
    """Check that `cluster` is a WorkerCluster: one of the CDK's own lacks what tasks share.

    Raises:
        ConfigurationError: It is another one.
    """
    if not hasattr(cluster, "add_endpoint"):
        raise ConfigurationError(
            f"{id}: cluster is of type {type(cluster).__name__}; give a WorkerCluster, which may stand in the same "
            "network: WorkerCluster(..., vpc=cluster.vpc)."
        )


def allow_by_key(scope: Construct, key: kms.IKey, what: str, *statements: Statement) -> None:
    """Add `statements` to the policy of `key`, or print them where it cannot be changed from here."""
    added = [
        key.add_to_resource_policy(iam.PolicyStatement.from_json(dict(each))).statement_added for each in statements
    ]
    if not all(added):
        announce_statements(scope, f"the key of {what}", statements)


def announce_statements(scope: Construct, whose: str, statements: Statement | tuple[Statement, ...]) -> None:
    """Name the statements that the owner of an imported thing must add to its policy."""
    listed = statements if isinstance(statements, tuple) else (statements,)
    written = json.dumps(stack_of(scope).resolve([dict(each) for each in listed]))
    announce(
        scope,
        f"policy of {whose}",
        f"The policy of {whose} was made elsewhere and cannot be changed from here; nothing arrives until its owner "
        f"adds: {written}",
    )


def announce(scope: IConstruct, subject: str, sentence: str) -> None:
    """Print `sentence` at each synthesis, until `Annotations.acknowledge_warning` names its id."""
    Annotations.of(scope).add_warning_v2(f"fargate-workers:{subject.replace(' ', '-')}", sentence)

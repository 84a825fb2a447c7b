"""IAM statements and documents as plain values. Knows nothing of the CDK."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fargate_workers.cloudformation.longest_text import LONGEST_ARN, longest

# Characters of a managed policy: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_POLICY = 6_144

Statement = Mapping[str, Any]
_WHOLE_ARN = re.compile(r'"\$\{Token\[(?!AWS\.)[^\]]*\]\}"')


def allow(actions: Sequence[str], *resources: str, conditions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A statement that allows `actions` on `resources`."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return statement if conditions is None else {**statement, "Condition": conditions}


def policy_document(statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document with `statements`."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def in_policies(statements: Iterable[Statement]) -> list[list[Statement]]:
    """The statements in as few policies as IAM takes them, whatever names CloudFormation gives to their resources.

    One with too many resources for a policy goes on in the next.
    """
    policies: list[list[Statement]] = [[]]
    for statement in statements:
        part: Statement | None = None
        for resource in statement["Resource"]:
            before = [each for each in policies[-1] if each is not part]
            longer = {**statement, "Resource": [*(part["Resource"] if part else ()), resource]}
            if _length([*before, longer]) <= LONGEST_POLICY:
                part, policies[-1] = longer, [*before, longer]
            else:
                part = {**statement, "Resource": [resource]}
                policies.append([part])
    return policies


def _length(statements: Sequence[Statement]) -> int:
    """In characters, of which IAM counts no blanks."""
    text = json.dumps(policy_document(statements), separators=(",", ":"))
    return longest(_WHOLE_ARN.sub(f'"{LONGEST_ARN}"', text))

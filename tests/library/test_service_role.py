"""A role's statements in as few policies as IAM takes."""

import json

from fargate_workers.cloudformation.permissions.policies import (
    LONGEST_POLICY,
    Statement,
    allow,
    in_policies,
    policy_document,
)


def test_what_fits_into_one_policy_stays_as_it_is_written() -> None:
    statements = [allow(["a:B"], "one", "two"), allow(["c:D"], "*", conditions={"Bool": {"x": "true"}})]

    assert in_policies(statements) == [statements]


def test_nothing_is_lost_and_nothing_too_long_when_there_is_more() -> None:
    queues = [f"arn:aws:sqs:eu-west-1:240615730189:{'q' * 70}{number}" for number in range(150)]
    statements: list[Statement] = [
        allow(["logs:Put"], "*"),
        allow(["sqs:Send"], *queues),
        allow(["sqs:Receive", "sqs:Delete"], *queues),
    ]

    policies = in_policies(statements)

    assert len(policies) > 3
    for policy in policies:
        assert len(json.dumps(policy_document(policy), separators=(",", ":"))) <= LONGEST_POLICY

    def pairs(written: list[Statement]) -> set[tuple[str, str]]:
        return {(action, resource) for each in written for action in each["Action"] for resource in each["Resource"]}

    assert pairs([each for policy in policies for each in policy]) == pairs(statements)
    assert policies[0][0] == statements[0]


def test_a_token_counts_as_the_longest_name_it_may_stand_for() -> None:
    tokens = [f"${{Token[TOKEN.{number}]}}" for number in range(60)]

    assert len(in_policies([allow(["sqs:Send"], *tokens)])) == 2

"""CloudFormation's pseudo parameters, read once: each `Aws.REGION` is a round trip to the CDK's Node process."""

from functools import cache

from aws_cdk import Aws


@cache
def partition() -> str:
    return Aws.PARTITION


@cache
def region() -> str:
    return Aws.REGION


@cache
def account() -> str:
    return Aws.ACCOUNT_ID


def arn(service: str, resource: str) -> str:
    """The ARN of `resource` in the stack's own account and region."""
    return f"arn:{partition()}:{service}:{region()}:{account()}:{resource}"

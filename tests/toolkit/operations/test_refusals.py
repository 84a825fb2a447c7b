"""What AWS refuses becomes one sentence: which action, on what, and what to do."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from fargate_workers_toolkit.operations.errors import OperationsError, answered

DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/reader/ada is not authorized to perform: sqs:receivemessage on "
    "resource: arn:aws:sqs:eu-west-1:123456789012:orders-dead because no identity-based policy allows the "
    "sqs:receivemessage action"
)


def refusal(code: str, message: str, call: str = "ReceiveMessage") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, call)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            refusal("AccessDenied", DENIED),
            "These credentials may not call sqs:receivemessage on arn:aws:sqs:eu-west-1:123456789012:orders-dead; use "
            "a role with that permission, such as OperatorAccess.",
        ),
        (
            refusal("AccessDeniedException", "no"),
            "These credentials may not call ReceiveMessage; use a role with that permission, such as OperatorAccess.",
        ),
        (
            refusal("ExpiredToken", "The security token included in the request is expired"),
            "The AWS credentials have expired; sign in again: aws sso login --profile shop.",
        ),
        (
            refusal("UnrecognizedClientException", "The security token included in the request is invalid."),
            "AWS does not know these credentials (UnrecognizedClientException); sign in again: "
            "aws sso login --profile shop.",
        ),
        (
            refusal("ThrottlingException", "Rate exceeded", "GetResources"),
            "AWS has too many requests to answer GetResources now (ThrottlingException); try again in a minute.",
        ),
        (
            refusal("QueueDoesNotExist", "The specified queue\n does not exist."),
            "ReceiveMessage failed with QueueDoesNotExist: The specified queue does not exist.",
        ),
        (refusal("400", "", "GetServiceQuota"), "GetServiceQuota failed with 400."),
        (UnauthorizedSSOTokenError(), "The sign-in to AWS has expired; sign in again: aws sso login --profile shop."),
        (
            NoCredentialsError(),
            "There are no AWS credentials; set AWS_PROFILE or give --profile, or sign in with `aws sso login`.",
        ),
        (
            ProfileNotFound(profile="shop"),
            "The config profile (shop) could not be found; correct --profile or AWS_PROFILE.",
        ),
        (NoRegionError(), "No region is known; name it in the environment's file, or set AWS_REGION."),
        (
            EndpointConnectionError(endpoint_url="https://sqs.eu-west-1.amazonaws.com/"),
            'AWS does not answer (Could not connect to the endpoint URL: "https://sqs.eu-west-1.amazonaws.com/"); try '
            "again, and look at the network and the proxy.",
        ),
    ],
)
def test_each_refusal_is_one_sentence(error: ClientError | BotoCoreError, sentence: str) -> None:
    with pytest.raises(OperationsError) as caught, answered(sign_in="aws sso login --profile shop"):
        raise error

    assert str(caught.value) == sentence
    assert caught.value.exit_code == 2

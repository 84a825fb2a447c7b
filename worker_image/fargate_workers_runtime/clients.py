"""boto3 clients, all with the same timeouts and retries."""

from typing import TYPE_CHECKING

import boto3
import botocore
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


#: Calls to the queue at once: eight polls, four settlements, the heartbeat.
_SQS_CALLS = 13

#: botocore puts its usual, longer one together anew for each request, which is a fifth of the request's CPU.
_USER_AGENT = f"fargate-workers-runtime Boto3/{boto3.__version__} Botocore/{botocore.__version__}"


def sqs_client(*, longest_wait: int = 0) -> "SQSClient":
    """Amazon SQS, for polls of up to `longest_wait` seconds."""
    # Not validated: each call is one of ours, and looking at its parameters takes a tenth of its CPU.
    config = _config(longest_wait=longest_wait, connections=_SQS_CALLS, parameter_validation=False)
    return boto3.client("sqs", config=config)  # pyright: ignore[reportUnknownMemberType]


def dynamodb_client(*, connections: int = 10) -> "DynamoDBClient":
    """Amazon DynamoDB, for as many threads as there are `connections`."""
    return boto3.client("dynamodb", config=_config(connections=connections))  # pyright: ignore[reportUnknownMemberType]


def s3_client() -> "S3Client":
    """Amazon S3."""
    return boto3.client("s3", config=_config())  # pyright: ignore[reportUnknownMemberType]


def _config(*, longest_wait: int = 0, connections: int = 10, parameter_validation: bool = True) -> Config:
    return Config(
        user_agent=_USER_AGENT,
        parameter_validation=parameter_validation,
        connect_timeout=5,
        # A poll must end by its answer, never by our side hanging up: what the answer brings would stay hidden.
        read_timeout=longest_wait + 20,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 3},
    )

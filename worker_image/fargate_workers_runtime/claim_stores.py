"""The store of claims that the environment names."""

import os

from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.clients import dynamodb_client
from fargate_workers_runtime.dynamodb_claims import DynamoDbClaims
from fargate_workers_runtime.settings import claim_store, text


def open_claims(*, scope: str, connections: int = 10) -> Claims | None:
    """The claims of `scope` (the worker's name) in DynamoDB or Redis, for so many threads; None if there are none.

    Environment: CLAIM_STORE, CLAIMS_TABLE_NAME, and for Redis what `connect_redis` reads.
    """
    match claim_store(os.environ):
        case "none":
            return None
        case "redis":
            # Imported where they are used: a worker without Redis neither installs nor loads it.
            from fargate_workers_runtime.redis_claims import RedisClaims  # noqa: PLC0415
            from fargate_workers_runtime.redis_connection import connect_redis  # noqa: PLC0415

            return RedisClaims(connect_redis(os.environ), scope=scope)
        case "dynamodb":
            return DynamoDbClaims(
                dynamodb_client(connections=connections), text(os.environ, "CLAIMS_TABLE_NAME"), scope=scope
            )

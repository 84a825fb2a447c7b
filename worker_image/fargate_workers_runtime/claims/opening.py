"""The store of claims that the environment names."""

import os

from fargate_workers_runtime.claims.protocol import Claims
from fargate_workers_runtime.extras import extra
from fargate_workers_runtime.settings import claim_store, text


def open_claims(*, scope: str, connections: int = 10) -> Claims | None:
    """The claims of `scope` (the worker's name) in DynamoDB or Redis, for so many threads; None if there are none.

    Environment: CLAIM_STORE, CLAIMS_TABLE_NAME, and for Redis what `connect_redis` reads.
    """
    match claim_store(os.environ):
        case "none" | "postgres":  # there, the handler claims: `open_effects`
            return None
        case "redis":
            # Imported where they are used: a worker without Redis neither installs nor loads it.
            with extra():
                from fargate_workers_runtime.claims.redis import RedisClaims  # noqa: PLC0415
                from fargate_workers_runtime.redis import connect_redis  # noqa: PLC0415

            return RedisClaims(connect_redis(os.environ), scope=scope)
        case "dynamodb":
            # Nor does one without claims in DynamoDB load botocore for them.
            from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims  # noqa: PLC0415
            from fargate_workers_runtime.clients import dynamodb_client  # noqa: PLC0415

            return DynamoDbClaims(
                dynamodb_client(connections=connections), text(os.environ, "CLAIMS_TABLE_NAME"), scope=scope
            )

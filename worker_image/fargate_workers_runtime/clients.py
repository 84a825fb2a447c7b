"""Clients of AWS services, each with the timeouts and retries of its purpose."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

from fargate_workers_runtime.brokers.sqs import address_of, region_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


#: Polls of the queue at once, and one more.
_POLLS = 9

#: Other calls to the queue at once: four settlements, and those that renew leases.
_PROMPT_CALLS = 20

#: botocore puts its usual, longer one together anew for each request, which is a fifth of the request's CPU.
_USER_AGENT = f"fargate-workers-runtime Botocore/{botocore.__version__}"


def sqs_client(*, longest_wait: int = 0, queue_url: str = "") -> "SQSClient":
    """A client of Amazon SQS for polls; each request goes to the region of the queue that it names.

    Args:
        longest_wait: How long a poll may wait, in seconds. Default: 0.
        queue_url: A queue whose interface, FIPS or IPv6 endpoint all requests go to. Default: the region's own.
    """
    # A poll must end by its answer, never by this side's time-out: the messages in the answer would stay hidden.
    return _sqs(queue_url, _config(read_timeout=longest_wait + 20, connections=_POLLS, parameter_validation=False))


def prompt_sqs_client(*, visibility_timeout: int, queue_url: str = "") -> "SQSClient":
    """A client of Amazon SQS for requests that must arrive before a lease ends: renewals, and how messages end.

    A request that is not answered in a sixth of the lease is over, so that another fits into the last third. Nothing is
    repeated here: the caller knows how long it is worth trying.

    Args:
        visibility_timeout: The length of a lease, in seconds.
        queue_url: A queue whose interface, FIPS or IPv6 endpoint all requests go to. Default: the region's own.
    """
    timeout = min(20.0, max(2.0, visibility_timeout / 6))
    config = _config(
        connect_timeout=min(5.0, timeout),
        read_timeout=timeout,
        connections=_PROMPT_CALLS,
        parameter_validation=False,
        attempts=1,
    )
    return _sqs(queue_url, config)


def dynamodb_client(*, connections: int = 10) -> "DynamoDBClient":
    """A client of Amazon DynamoDB. Its time-outs are short: DynamoDB answers within milliseconds, or not at all.

    Args:
        connections: The threads that use it at once. Default: 10.
    """
    return _client("dynamodb", _config(connect_timeout=2, read_timeout=5, connections=connections))


def s3_client() -> "S3Client":
    """A client of Amazon S3."""
    return _client("s3", _config())


def msk_client(region: str) -> Any:
    """A client of the API of Amazon MSK, which is asked for a cluster's bootstrap servers.

    Args:
        region: The cluster's region.
    """
    return _client("kafka", _config(connect_timeout=5, read_timeout=10), region_name=region)


def _sqs(queue_url: str, config: Config) -> "SQSClient":
    # Not validated: only this package makes calls, and the check of its parameters takes a tenth of a call's CPU.
    address = address_of(queue_url, os.environ)
    client = _client("sqs", config, region_name=address.region, endpoint_url=address.endpoint)
    client.meta.events.register("before-endpoint-resolution.sqs", _go_to_the_queue)
    return client


def _client(service: str, config: Config, **where: str | None) -> Any:
    # boto3 takes 3 MB more, so it serves only where the handler's module has loaded it: then both share one session.
    boto3 = sys.modules.get("boto3")
    make: Any = boto3.client if boto3 else _session().create_client
    return make(service, config=config, **where)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def _go_to_the_queue(builtins: dict[str, Any], params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Send the request to the region of the queue; botocore sends it to the task's own, which has no such queue."""
    region = region_of(params.get("QueueUrl") or "")
    if region and region != builtins.get("AWS::Region"):
        builtins["AWS::Region"] = region
        context["signing"] = {**context.get("signing", {}), "region": region}


def _config(
    *,
    connect_timeout: float = 5,
    read_timeout: float = 20,
    connections: int = 10,
    parameter_validation: bool = True,
    attempts: int = 3,
) -> Config:
    return Config(
        user_agent=_USER_AGENT,
        parameter_validation=parameter_validation,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )

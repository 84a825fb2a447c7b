"""What runs in the embedded AWS: clients, and which resource is which, found by construct path."""

from typing import Any

import boto3
from botocore.config import Config

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.templates import Assembly

#: Past any proxy in the environment, which has no way to this machine's loopback.
_DIRECT = Config(proxies={})


class Deployed:
    """An assembly as CloudFormation deployed it.

    Args:
        aws: Where it is deployed.
        assembly: Its stacks.
    """

    def __init__(self, aws: EmbeddedAws, assembly: Assembly) -> None:
        self.aws = aws
        self.assembly = assembly
        self._session: Any = boto3.Session(
            aws_access_key_id=aws.account,
            aws_secret_access_key="local",  # noqa: S106
            region_name=aws.region,
        )
        self._clients: dict[str, Any] = {}
        self._ids: dict[str, dict[str, str]] = {}

    def client(self, service: str) -> Any:
        """Return a boto3 client that reaches nothing but loopback.

        Args:
            service: The service's name in boto3, for example `"sqs"`.
        """
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self.aws.endpoint, config=_DIRECT)
        return self._clients[service]

    def physical_id(self, path: str, *, type: str) -> str:
        """Return the name that CloudFormation gave a resource.

        Args:
            path: The construct path of the resource, or of a construct that has one resource of the type.
            type: Its type, for example `"AWS::SQS::Queue"`.

        Raises:
            AssemblyError: There is no such resource, or more than one.
        """
        resource = self.assembly.find(path, type=type)
        if resource.stack not in self._ids:
            pages = (
                self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=resource.stack)
            )
            summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
            self._ids[resource.stack] = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in summaries}
        return self._ids[resource.stack][resource.logical_id]

"""What runs in the embedded AWS: clients, and which resource is which, found by construct path."""

from typing import Any

import boto3

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.template import Assembly


class Deployed:
    """An environment of an assembly, as CloudFormation deployed it."""

    def __init__(self, aws: EmbeddedAws, assembly: Assembly, *, environment: str = "local") -> None:
        self._aws = aws
        self._assembly = assembly
        self._environment = environment
        self._session = boto3.Session(
            aws_access_key_id="LOCALFARGATEWORKERS",
            aws_secret_access_key="local",  # noqa: S106
            region_name=aws.region,
        )
        self._clients: dict[str, Any] = {}
        self._ids: dict[str, dict[str, str]] = {}

    def client(self, service: str) -> Any:
        """A boto3 client that can reach nothing but loopback."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self._aws.endpoint)  # pyright: ignore[reportUnknownMemberType, reportArgumentType, reportCallIssue]
        return self._clients[service]

    def physical_id(self, path: str, *, type: str) -> str:
        """What CloudFormation made of the resource at a construct path."""
        resource = self._assembly.find(f"{self._environment}/{path}", type=type)
        if resource.stack not in self._ids:
            pages = (
                self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=resource.stack)
            )
            summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
            self._ids[resource.stack] = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in summaries}
        return self._ids[resource.stack][resource.logical_id]

"""The deployed order pipeline: which resource is which, found by construct path and asked of CloudFormation."""

from functools import cached_property
from typing import Any

import boto3

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.template import Assembly

QUEUE = "AWS::SQS::Queue"


class OrderPipeline:
    """Physical names of the sample's resources in the local environment, and clients for its AWS."""

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

    @cached_property
    def import_queue_url(self) -> str:
        return self.physical_id("Data/ImportQueue/Queue", type=QUEUE)

    @cached_property
    def orders_queue_url(self) -> str:
        return self.physical_id("Data/OrdersQueue/Queue", type=QUEUE)

    @cached_property
    def orders_dead_letter_queue_url(self) -> str:
        return self.physical_id("Data/OrdersQueue/DeadLetterQueue", type=QUEUE)

    @cached_property
    def bucket(self) -> str:
        return self.physical_id("Data/OrderFiles", type="AWS::S3::Bucket")

    @cached_property
    def orders_table(self) -> str:
        return self.physical_id("Data/Orders", type="AWS::DynamoDB::GlobalTable")

    @cached_property
    def cluster(self) -> str:
        return self.physical_id("Platform/Cluster", type="AWS::ECS::Cluster")

    @cached_property
    def alerts_topic_arn(self) -> str:
        return self.physical_id("Platform/Alerts", type="AWS::SNS::Topic")

    @cached_property
    def apply_orders_service(self) -> str:
        return self.physical_id("Workers/ApplyOrders", type="AWS::ECS::Service").rsplit("/", 1)[-1]

    @cached_property
    def redrive_function(self) -> str:
        return self.physical_id("Workers/DeadLetterRedrive", type="AWS::Lambda::Function")

    @cached_property
    def schedule(self) -> str:
        return self.physical_id("Workers/HourlyReport", type="AWS::Scheduler::Schedule")

    @cached_property
    def dead_letters_alarm(self) -> str:
        return self.physical_id("Workers/ApplyOrders/DeadLetters", type="AWS::CloudWatch::Alarm")

    @cached_property
    def cache(self) -> tuple[str, int, str]:
        """Address, port and user of the read model."""
        group = self.physical_id("Data/ReadModel", type="AWS::ElastiCache::ReplicationGroup")
        groups = self.client("elasticache").describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
        endpoint = groups[0]["NodeGroups"][0]["PrimaryEndpoint"]
        return endpoint["Address"], endpoint["Port"], self.physical_id("Data/ReadModel", type="AWS::ElastiCache::User")

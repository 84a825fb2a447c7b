"""The place where tasks run: a network, an ECS cluster on Fargate, and what all its tasks share."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import get_args

from aws_cdk import Annotations, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers.alarms import Alerts
from fargate_workers.cloudformation import (
    KEY_WAY_OUT,
    allow_by_key,
    arn,
    check_place,
    environment_of,
    place_in,
    region,
    region_of,
    stack_of,
    url_suffix,
)
from fargate_workers.cluster.network import MOST_ZONES, TASK_SUBNETS, Network, add_flow_log, https, inside, new_vpc
from fargate_workers.compliance import acknowledge
from fargate_workers.errors import ConfigurationError

# What Fargate needs to start a task, and what a worker needs to drain a queue.
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "sqs")
# Their endpoints have other names, service by service; the CDK has the list.
_PARTITIONS_APART = ("cn-", "eusc-", "eu-iso", "us-iso")

# Of a stack: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MOST_RESOURCES = 500
MANY_WORKERS = 12  # of one stack; counting its resources takes too long to do it for fewer


class WorkerCluster(Construct):
    """An ECS cluster for Fargate tasks, in a network of its own or in an existing one.

        WorkerCluster(self, "Cluster", network="endpoints", alerts=alerts)

    A network made here reaches S3 and DynamoDB through gateway endpoints, which are free.

    A cluster serves workers in several stacks, each of which has room for about fifteen of them; each stack then has a
    scaling planner of its own, and may have a DeadLetterRedrive and a Dashboard of its own.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        network: How tasks reach AWS. Each choice has its price, so there is no default. "nat": private subnets, which
            reach the internet through NAT gateways (paid per hour and GB). "endpoints": isolated subnets without any
            internet, which reach AWS through interface endpoints (paid per hour, zone and GB); there is one for each
            service that a queue worker needs, and `add_endpoint` adds more. "public": public subnets and a public
            address per task (paid per address), to which nothing may connect.
        vpc: An existing network, used as it is: nothing is added to it, endpoints included. Tasks run in its private,
            isolated or public subnets, as `network` says. Defaults to a new one, 10.0.0.0/16, with flow logs.
        availability_zones: The new network's zones, by name. Defaults to the region's first two, which CloudFormation
            finds at deployment, so that synthesis looks nothing up.
        nat_gateways: NAT gateways of a new "nat" network. With 2 it survives the loss of a zone. Defaults to 1, the
            cheapest.
        container_insights: Whether ECS reports metrics per service, at CloudWatch's price. Defaults to True.
        alerts: The alerts that receive the alarms of this cluster's workers. Defaults to none.
        reserve_concurrency: Whether each function of this cluster reserves an execution for itself, as the HIPAA and
            NIST 800-53 rule packs ask. AWS refuses it in an account that may run few functions at once, as new ones
            often do. Defaults to False.
        log_encryption_key: A customer-managed key for every log group of this cluster; its policy is changed to let
            CloudWatch Logs use it, or what its owner must add is printed at synthesis. Defaults to CloudWatch's own
            key.
        log_retention: How long logs are kept. Defaults to a month.
        log_removal_policy: What happens to log groups that leave the stack. Defaults to DESTROY: they are deleted.
        removal_policy: What happens to a new network that leaves the stack; a cache that is kept needs it. Defaults to
            DESTROY: it is deleted.

    Attributes:
        network: The kind of network.
        vpc: The network.
        cluster: The ECS cluster.
        cluster_name: Its name.
        alerts: The alerts that receive the alarms of this cluster's workers.
        endpoints: The interface endpoints made here, by service.
        task_subnets: The selection of subnets that tasks run in.

    Raises:
        ConfigurationError: Options contradict each other or are out of their range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        vpc: ec2.IVpc | None = None,
        availability_zones: Sequence[str] | None = None,
        nat_gateways: int = 1,
        container_insights: bool = True,
        alerts: Alerts | None = None,
        reserve_concurrency: bool = False,
        log_encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        log_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
        removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
    ) -> None:
        super().__init__(scope, id)
        place_in(scope, self)
        if network not in get_args(Network):
            raise ConfigurationError(f"{id}: network is {network!r}; use one of {', '.join(get_args(Network))}.")
        if vpc is not None and availability_zones is not None:
            raise ConfigurationError(
                f"{id}: availability_zones are for a new network; leave them out when you give a vpc."
            )
        if availability_zones is not None and not 1 <= len(availability_zones) <= MOST_ZONES:
            raise ConfigurationError(
                f"{id}: availability_zones names {len(availability_zones)}; name 1 to {MOST_ZONES}."
            )
        if nat_gateways < 1:
            raise ConfigurationError(
                f'{id}: nat_gateways is {nat_gateways}; use 1 or more, or network="endpoints" for none.'
            )
        self.network: Network = network
        self.alerts = alerts
        self.reserve_concurrency = reserve_concurrency
        self.log_encryption_key = log_encryption_key
        self.log_retention = log_retention
        self.log_removal_policy = log_removal_policy
        self.assign_public_ip: bool = network == "public"
        self.task_subnets: ec2.SubnetSelection = ec2.SubnetSelection(subnet_type=TASK_SUBNETS[network])
        self.endpoints: dict[str, ec2.CfnVPCEndpoint] = {}
        self._workers = Counter[Stack]()
        if log_encryption_key is not None:
            _let_logs_use(self, log_encryption_key)

        self._vpc_is_ours = vpc is None
        self._announced_services: set[str] = set()
        self.vpc: ec2.IVpc = self._new_vpc(availability_zones, nat_gateways, removal_policy) if vpc is None else vpc
        if vpc is not None and not self.subnets:
            kind = {"nat": "private", "endpoints": "isolated", "public": "public"}[network]
            raise ConfigurationError(
                f'{id}: the vpc has no {kind} subnets, in which network="{network}" runs tasks; import it with them, '
                "or choose another network."
            )
        if network == "endpoints":
            for service in ENDPOINTS:
                self.add_endpoint(service)

        self.cluster: ecs.Cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=self.vpc,
            enable_fargate_capacity_providers=True,
            container_insights_v2=ecs.ContainerInsights.ENABLED
            if container_insights
            else ecs.ContainerInsights.DISABLED,
        )
        self.cluster_name: str = self.cluster.cluster_name

    @cached_property
    def environment(self) -> str:
        """The environment that the cluster and its workers belong to: its outermost stage, or its stack without one."""
        return environment_of(self)

    @cached_property
    def cluster_arn(self) -> str:
        """The ARN of the ECS cluster."""
        return self.cluster.cluster_arn

    def add_endpoint(self, service: str) -> None:
        """Add an interface endpoint, so that tasks in an "endpoints" network reach one more AWS service.

        Changes nothing where that service is reached already: in other networks, in an existing one, and at a second
        call.

        Args:
            service: The service as endpoints name it, such as "secretsmanager".
        """
        if self.network == "endpoints" and not self._vpc_is_ours and service not in self._announced_services:
            self._announced_services.add(service)
            Annotations.of(self).add_info(
                f"Tasks and functions need the interface endpoint for {service}; the vpc is yours, so make it there."
            )
        if not self.makes_endpoints or service in self.endpoints:
            return
        self.endpoints[service] = ec2.CfnVPCEndpoint(
            self,
            "".join(part.capitalize() for part in service.split(".")) + "Endpoint",
            vpc_endpoint_type="Interface",
            service_name=self._endpoint_name(service),
            vpc_id=self.vpc,
            subnet_ids=self.subnets,
            security_group_ids=[self._endpoint_security_group],
            private_dns_enabled=True,
        )

    @property
    def makes_endpoints(self) -> bool:
        """Whether tasks reach AWS only by interface endpoints that are made here."""
        return self.network == "endpoints" and self._vpc_is_ours

    def check_room(self, scope: Construct, worker: Construct) -> None:
        """Check that the stack of `scope` has room for one more worker.

        Args:
            scope: The construct that the worker stands in.
            worker: The worker, which the error names.

        Raises:
            ConfigurationError: The stack has more resources than CloudFormation takes.
        """
        stack = stack_of(scope)
        self._workers[stack] += 1
        if self._workers[stack] < MANY_WORKERS:
            return
        resources = sum(isinstance(each, CfnResource) for each in stack.node.find_all())
        if resources > MOST_RESOURCES:
            raise ConfigurationError(
                f"{worker.node.path}: its stack has {resources} resources with {self._workers[stack]} workers, and "
                f"CloudFormation takes {MOST_RESOURCES}; put further workers into another stack, on the same cluster."
            )

    @cached_property
    def subnet_ids(self) -> list[str]:
        """The ids of the subnets that tasks run in."""
        return [subnet.subnet_id for subnet in self.subnets]

    @cached_property
    def linux_parameters(self) -> ecs.LinuxParameters:
        """An init process for every container: it passes SIGTERM on and reaps the worker's orphans."""
        return ecs.LinuxParameters(self, "LinuxParameters", init_process_enabled=True)

    @cached_property
    def task_protection(self) -> iam.ManagedPolicy:
        """Lets a worker protect its task from scale-in while it is busy: tasks of this cluster, and no other."""
        statement = {
            "Effect": "Allow",
            "Action": ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"],
            "Resource": arn("ecs", f"task/{self.cluster_name}/*"),
        }
        policy = iam.ManagedPolicy(
            self, "TaskProtection", document=iam.PolicyDocument.from_json({"Statement": [statement]})
        )
        cluster = stack_of(self).resolve(self.cluster_name)["Ref"]
        tasks = f"arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/<{cluster}>/*"
        acknowledge(
            policy,
            {
                f"AwsSolutions-IAM5[Resource::{tasks}]": "A task gets its id when it starts; "
                "the wildcard stands for that id, within this one cluster."
            },
        )
        return policy

    @cached_property
    def subnets(self) -> list[ec2.ISubnet]:
        """The subnets that tasks run in."""
        if self.network == "nat":
            return self.vpc.private_subnets
        return self.vpc.isolated_subnets if self.network == "endpoints" else self.vpc.public_subnets

    def _endpoint_name(self, service: str) -> str:
        if region_of(stack_of(self)).startswith(_PARTITIONS_APART):
            return ec2.InterfaceVpcEndpointAwsService(service).name
        return f"com.amazonaws.{region()}.{service}"

    @cached_property
    def _endpoint_security_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=self.vpc,
            description="Interface endpoints: HTTPS from this network.",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(inside(), https(), "HTTPS from this network")
        return group

    def _new_vpc(
        self, availability_zones: Sequence[str] | None, nat_gateways: int, removal_policy: RemovalPolicy
    ) -> ec2.Vpc:
        vpc = new_vpc(
            self,
            self.network,
            availability_zones=availability_zones,
            nat_gateways=nat_gateways if self.network == "nat" else 0,
            removal_policy=removal_policy,
        )
        add_flow_log(
            self,
            vpc,
            encryption_key=self.log_encryption_key,
            retention=self.log_retention,
            removal_policy=self.log_removal_policy,
        )
        return vpc


def _let_logs_use(cluster: Construct, key: kms.IKey) -> None:
    """CloudWatch Logs encrypts with a customer key only when the key's own policy says so."""
    check_place(cluster, "log_encryption_key", key, way_out=KEY_WAY_OUT, any_account=True)
    allow_by_key(
        cluster,
        key,
        "the log groups",
        {
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region()}.{url_suffix()}"},
            "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "*")}},
        },
    )

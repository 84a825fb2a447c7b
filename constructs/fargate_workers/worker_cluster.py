"""Where tasks run: a network, an ECS cluster on Fargate, and what all its tasks share."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, get_args

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers._acknowledge import acknowledge
from fargate_workers._aws import arn, region
from fargate_workers._network import CIDR, TASK_SUBNETS, Network, add_flow_log, new_vpc
from fargate_workers.scaling_planner import ScalingPlanner

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts

# What Fargate needs to start a task, and what a worker needs to drain a queue.
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "sqs")


class WorkerCluster(Construct):
    """An ECS cluster for Fargate tasks, in a network of its own or in yours.

        WorkerCluster(self, "Cluster", network="endpoints", alerts=alerts)

    `network` has no default, because each choice has its price:

    * "nat": private subnets, which reach the internet through NAT gateways (paid per hour and GB);
    * "endpoints": isolated subnets without any internet; AWS is reached through interface endpoints (paid per hour,
      zone and GB). There is one for each service a queue worker needs; `add_endpoint` adds more;
    * "public": public subnets and a public address per task (paid per address), which nothing may connect to.

    A network made here reaches S3 and DynamoDB through gateway endpoints, which are free.

    vpc: Your network, used as it is: nothing is added to it, endpoints included. Tasks run in its private, isolated
        or public subnets, as `network` says. Default: a new one, 10.0.0.0/16, with flow logs.
    availability_zones: The new network's zones, by name. Default: the region's first two, which CloudFormation
        finds at deployment, so that synthesis looks nothing up.
    nat_gateways: How many a new "nat" network gets. Default: 1, the cheapest; with 2 it survives the loss of a zone.
    container_insights: Whether ECS reports metrics per service, at CloudWatch's price. Default: yes.
    alerts: Where workers of this cluster send their alarms. Default: nowhere.
    reserve_concurrency: Whether each function of this cluster reserves an execution for itself, as the HIPAA and NIST
        800-53 rule packs ask. In an account that may run few functions at once, as new ones often do, AWS refuses it.
        Default: no.
    log_encryption_key: The key of every log group of this cluster; its policy gets to allow CloudWatch Logs.
        Default: CloudWatch's own key.
    log_retention: How long logs are kept. Default: a month.
    log_removal_policy: What becomes of log groups which leave the stack. Default: they are deleted.

    Raises ValueError when options contradict each other.
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
        alerts: "Alerts | None" = None,
        reserve_concurrency: bool = False,
        log_encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        log_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
    ) -> None:
        super().__init__(scope, id)
        if network not in get_args(Network):
            raise ValueError(f"{id}: network is {network!r}; use one of {', '.join(get_args(Network))}.")
        if vpc is not None and availability_zones is not None:
            raise ValueError(f"{id}: availability_zones are for a new network; leave them out when you give a vpc.")
        if nat_gateways < 1:
            raise ValueError(f'{id}: nat_gateways is {nat_gateways}; use 1 or more, or network="endpoints" for none.')
        self.network: Network = network
        self.alerts = alerts
        self.reserve_concurrency = reserve_concurrency
        self.log_encryption_key = log_encryption_key
        self.log_retention = log_retention
        self.log_removal_policy = log_removal_policy
        self.assign_public_ip = network == "public"
        self.task_subnets = ec2.SubnetSelection(subnet_type=TASK_SUBNETS[network])
        self.endpoints: dict[str, ec2.CfnVPCEndpoint] = {}
        self._scaling_planners: dict[str, ScalingPlanner] = {}
        if log_encryption_key is not None:
            _let_logs_use(log_encryption_key)

        self._vpc_is_ours = vpc is None
        self.vpc = self._new_vpc(availability_zones, nat_gateways) if vpc is None else vpc
        if network == "endpoints":
            for service in ENDPOINTS:
                self.add_endpoint(service)

        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=self.vpc,
            enable_fargate_capacity_providers=True,
            container_insights_v2=ecs.ContainerInsights.ENABLED
            if container_insights
            else ecs.ContainerInsights.DISABLED,
        )
        self.cluster_name = self.cluster.cluster_name

    @cached_property
    def cluster_arn(self) -> str:
        return self.cluster.cluster_arn

    def add_endpoint(self, service: str) -> None:
        """Let tasks in an "endpoints" network reach one more AWS service, such as "secretsmanager".

        Changes nothing where that service is reached already: in other networks, in yours, and when asked twice.
        """
        if self.network != "endpoints" or not self._vpc_is_ours or service in self.endpoints:
            return
        self.endpoints[service] = ec2.CfnVPCEndpoint(
            self,
            "".join(part.capitalize() for part in service.split(".")) + "Endpoint",
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{region()}.{service}",
            vpc_id=self.vpc,
            subnet_ids=self._subnets,
            security_group_ids=[self._endpoint_security_group],
            private_dns_enabled=True,
        )

    def scaling_planner(self, scope: Construct) -> ScalingPlanner:
        """What plans for the workers of this cluster in the stack of `scope`; it is made when first asked for.

        It belongs to their stack, because it names their queues and services, and their stack depends on this one.
        """
        stack = Stack.of(scope)
        address = stack.node.addr
        if address not in self._scaling_planners:
            name = f"{self.node.id}ScalingPlanner"
            if stack.node.try_find_child(name) is not None:  # of a cluster of the same name, from elsewhere
                name += self.node.addr
            self._scaling_planners[address] = ScalingPlanner(stack, name, cluster=self)
        return self._scaling_planners[address]

    @cached_property
    def subnet_ids(self) -> list[str]:
        """The subnets tasks run in."""
        return [subnet.subnet_id for subnet in self._subnets]

    @cached_property
    def linux_parameters(self) -> ecs.LinuxParameters:
        """An init process for every container: it passes SIGTERM on and reaps what the worker leaves behind."""
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
        cluster = Stack.of(self).resolve(self.cluster_name)["Ref"]
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
    def _subnets(self) -> list[ec2.ISubnet]:
        if self.network == "nat":
            return self.vpc.private_subnets
        return self.vpc.isolated_subnets if self.network == "endpoints" else self.vpc.public_subnets

    @cached_property
    def _endpoint_security_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=self.vpc,
            description="Interface endpoints: HTTPS from this network.",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(CIDR), ec2.Port.tcp(443), "HTTPS from this network")
        return group

    def _new_vpc(self, availability_zones: Sequence[str] | None, nat_gateways: int) -> ec2.Vpc:
        vpc = new_vpc(
            self,
            self.network,
            availability_zones=availability_zones,
            nat_gateways=nat_gateways if self.network == "nat" else 0,
        )
        add_flow_log(
            self,
            vpc,
            encryption_key=self.log_encryption_key,
            retention=self.log_retention,
            removal_policy=self.log_removal_policy,
        )
        return vpc


def _let_logs_use(key: kms.IKey) -> None:
    """CloudWatch Logs encrypts with a customer key only when the key's own policy says so."""
    key.add_to_resource_policy(
        iam.PolicyStatement.from_json(
            {
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region()}.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "*")}},
            }
        )
    )

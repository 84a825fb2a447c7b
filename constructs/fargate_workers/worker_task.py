"""One hardened Fargate task: what runs, as whom, with which permissions, and where its logs go."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, cast

import jsii
from aws_cdk import Size
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers._access import Access
from fargate_workers._acknowledge import acknowledge
from fargate_workers._aws import account, arn
from fargate_workers._durations import seconds
from fargate_workers._qualified_name import qualify
from fargate_workers._task_size import check_task_size
from fargate_workers.container_image import Architecture, cpu_architecture
from fargate_workers.worker_cluster import WorkerCluster

STOP_TIMEOUT_SECONDS = 120
HEALTH_FILE = "/tmp/healthy"  # noqa: S108  the container's own volume
USER = "10001:10001"


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class WorkerTask(Construct):
    """A Fargate task definition with one container, its two roles, its log group and its security group.

    The container runs under an init process as user 10001, on a read-only root file system; only `/tmp` can be
    written to, on a volume of the task's own. Fargate gives that volume the owner and mode the image gives `/tmp`,
    provided the Dockerfile says `VOLUME ["/tmp"]`.

    What other constructs grant to the task lands in `permissions`, a managed policy, which is only made when needed.
    The task may connect anywhere by HTTPS, and besides to whatever `connections` allows; nothing may connect to it.

    image: The container's image.
    name: What alarms and log streams call the task.
    qualified_name: What its log, metrics and claims go by, and nothing else in the account and region. Default: the
        stack's name and the construct's path in it, such as `shop-Workers/Orders`.
    command: What the container runs. Default: the image's own command.
    cpu, memory_mib: The task's size. Default: 256 (a quarter of a vCPU) and 512 MiB, the smallest.
    architecture: "arm64" (cheaper) or "x86_64"; the image must be built for it. Default: "arm64".
    environment, secrets: The container's variables. Default: only ours.
    stop_timeout_seconds: How long a stopping task may go on. Default: 120, Fargate's longest.
    health_check: How ECS asks whether the container is well. Default: it does not ask.
    statements: What the task may do from the start, as IAM statements. Default: nothing.
    uses: What other constructs must allow and tell the task, so that it may use them. Default: nothing.
    managed_policies: Policies to attach to the task's role. Default: none.

    Raises ValueError for a size that Fargate does not have, and when `stop_timeout_seconds` is not within 2 to 120.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        name: str,
        qualified_name: str | None = None,
        command: Sequence[str] | None = None,
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        stop_timeout_seconds: int = STOP_TIMEOUT_SECONDS,
        health_check: ecs.HealthCheck | None = None,
        statements: Sequence[Mapping[str, Any]] = (),
        uses: Sequence[Access] = (),
        managed_policies: Sequence[iam.IManagedPolicy] = (),
    ) -> None:
        super().__init__(scope, id)
        if not 2 <= stop_timeout_seconds <= 120:
            raise ValueError(f"{name}: stop_timeout_seconds is {stop_timeout_seconds}; Fargate takes 2 to 120.")
        check_task_size(name, cpu=cpu, memory_mib=memory_mib)
        self.cluster = cluster
        self.name = name
        self.qualified_name = qualified_name or qualify(scope, id)
        self.container_name = "worker"
        if secrets:
            cluster.add_endpoint("secretsmanager")
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            encryption_key=cluster.log_encryption_key,
            retention=cluster.log_retention,
            removal_policy=cluster.log_removal_policy,
        )
        self.task_role = _role(self, "TaskRole", managed_policies)
        self.execution_role = _role(self, "ExecutionRole")
        self.task_definition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            cpu=cpu,
            memory_limit_mib=memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture(architecture), operating_system_family=_linux()
            ),
            task_role=self.task_role,
            execution_role=self.execution_role,
            volumes=[ecs.Volume(name="tmp")],
        )
        self.container = self.task_definition.add_container(
            self.container_name,
            image=image,
            command=None if command is None else list(command),
            environment={
                **(environment or {}),
                **{name: value for access in uses for name, value in access.environment.items()},
                "WORKER_NAME": self.qualified_name,
                "HEALTH_FILE": HEALTH_FILE,
                "STOP_TIMEOUT_SECONDS": str(stop_timeout_seconds),
            },
            secrets=dict(secrets) if secrets else None,
            logging=ecs.LogDrivers.aws_logs(
                log_group=self.log_group,
                stream_prefix=name,
                # A worker must not wait for CloudWatch Logs: beyond this buffer, lines are dropped.
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=_log_buffer(),
            ),
            linux_parameters=cluster.linux_parameters,
            readonly_root_filesystem=True,
            user=USER,
            stop_timeout=seconds(stop_timeout_seconds),
            health_check=health_check,
        )
        self.container.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume="tmp", read_only=False)  # noqa: S108
        )
        self._keep_execution_grants_in_managed_policy(image)
        self._statements = [*statements, *(statement for access in uses for statement in access.statements)]
        if self._statements:
            _ = self.permissions

    @cached_property
    def permissions(self) -> iam.ManagedPolicy:
        """What the task may do: grants to the task are statements in here."""
        # Beneath the role, so that a service, which waits for the role, starts no task before it may do its work.
        return iam.ManagedPolicy(
            cast("Construct", self.task_role),
            "Permissions",
            roles=[self.task_role],
            document=iam.PolicyDocument.from_json({"Statement": self._statements}) if self._statements else None,
        )

    @cached_property
    def security_group(self) -> ec2.SecurityGroup:
        """The task's security group: out by HTTPS, in not at all."""
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=self.cluster.vpc,
            description=f"Tasks of {self.name}.",
            allow_all_outbound=False,
        )
        group.add_egress_rule(_anywhere(), _https(), "AWS and other services, by HTTPS")
        return group

    @property
    def grant_principal(self) -> iam.IPrincipal:
        return self.permissions.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        return self.security_group.connections

    def add_environment(self, name: str, value: str) -> None:
        """Set one variable of the container."""
        self.container.add_environment(name, value)

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        sid: str | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the task do `actions` on `resources`."""
        self.permissions.add_statements(
            iam.PolicyStatement(
                sid=sid,
                actions=list(actions),
                resources=list(resources),
                conditions=dict(conditions) if conditions else None,
            )
        )

    def _keep_execution_grants_in_managed_policy(self, image: ecs.ContainerImage) -> None:
        """Let what the image, the logs and the secrets need be granted by a managed policy.

        The CDK puts these grants, today's and later ones, into one document, which it attaches as an inline policy;
        auditors want policies that can be seen on their own.
        """
        node = self.execution_role.node
        inline = cast("iam.Policy", node.find_child("DefaultPolicy"))
        policy = iam.ManagedPolicy(self.task_definition, "ExecutionPermissions", document=inline.document)
        node.try_remove_child("DefaultPolicy")
        self.execution_role.add_managed_policy(policy)

        findings = {
            "AwsSolutions-ECS2": "The variables are names and addresses of resources; secrets go into secrets=."
        }
        if not isinstance(image, ecs.RepositoryImage):
            findings["AwsSolutions-IAM5[Resource::*]"] = (
                "ecr:GetAuthorizationToken knows no resource; pulling is granted on the image's own repository."
            )
        acknowledge(self.task_definition, findings)


def _role(scope: Construct, id: str, managed_policies: Sequence[iam.IManagedPolicy] = ()) -> iam.IRole:
    # The cast, because Role and IRole call one parameter by two names.
    return cast(
        "iam.IRole",
        iam.Role(scope, id, assumed_by=_ecs_tasks(), managed_policies=list(managed_policies) or None),
    )


@cache
def _ecs_tasks() -> iam.IPrincipal:
    """ECS, when it starts a task of this account, and on behalf of no other."""
    principal = iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": account()},
            "ArnLike": {"aws:SourceArn": arn("ecs", "*")},
        },
    )
    return cast("iam.IPrincipal", principal)


@cache
def _linux() -> ecs.OperatingSystemFamily:
    return ecs.OperatingSystemFamily.LINUX


@cache
def _log_buffer() -> Size:
    return Size.mebibytes(25)


@cache
def _anywhere() -> ec2.IPeer:
    return ec2.Peer.any_ipv4()


@cache
def _https() -> ec2.Port:
    return ec2.Port.tcp(443)

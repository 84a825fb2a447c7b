"""A hardened Fargate task: its definition, roles, permissions, security group and logs."""

from collections.abc import Sequence
from functools import cache
from typing import Unpack, cast
from weakref import WeakKeyDictionary

from aws_cdk import Size
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.cloudformation import account, arn, check_cluster, log_stream_prefix, qualify
from fargate_workers.cluster import CONTAINER, WorkerCluster
from fargate_workers.compliance import acknowledge
from fargate_workers.durations import in_seconds, in_words, seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.tasks.container_image import architecture_of, cpu_architecture
from fargate_workers.tasks.image_place import check_image
from fargate_workers.tasks.runner import Runner
from fargate_workers.tasks.task_options import (
    DEFAULT_CPU,
    DEFAULT_MEMORY_MIB,
    LONGEST_STOP_SECONDS,
    TaskOptions,
    check_names,
)
from fargate_workers.tasks.task_size import check_task_size

HEALTH_FILE = "/tmp/healthy"  # noqa: S108  the container's own volume
USER = "10001:10001"


# What pulling an image takes besides ECR; asked once, for many tasks run one image.
_services_of: WeakKeyDictionary[ecs.ContainerImage, Sequence[str]] = WeakKeyDictionary()


class WorkerTask(Runner):
    """A Fargate task definition with one container, its two roles, its log group and its security group.

    The container runs under an init process as user 10001, on a read-only root file system; only `/tmp` can be
    written to, on a volume of the task's own. Fargate gives that volume the owner and mode the image gives `/tmp`,
    provided the Dockerfile says `VOLUME ["/tmp"]`.

    What other constructs grant to the task lands in `permissions`, a managed policy, which is only made when needed.
    The task may connect anywhere by HTTPS, and besides to whatever `connections` allows; nothing may connect to it.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster that runs the task.
        image: The container's image.
        name: The name of the task in alarms and log streams.
        qualified_name: The name in its log, metrics and claims, unique in the account and region. Defaults to the
            stack's name and the construct's path in it, such as `shop-Workers/Orders`.
        health_check: How ECS asks whether the container is well. Defaults to none: it does not ask.
        uses: The permissions and variables that the task has from the start, of what it uses. Defaults to none.
        managed_policies: Policies to attach to the task's role. Defaults to none.
        options: What the task runs, its size and its variables; see `TaskOptions`.

    Attributes:
        task_definition: The task definition.
        container: Its container.
        task_role: The role of the code in the container.
        execution_role: The role by which ECS starts the task.
        log_group: The log group.
        cluster: The cluster that runs the task.
        name: The name of the task in alarms and log streams.
        qualified_name: The name in its log, metrics and claims.

    Raises:
        ConfigurationError: Fargate does not have the size, the image is of another architecture, or `stop_timeout` is
            not within 2 to 120 seconds.
        TypeError: There is no such option.
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
        health_check: ecs.HealthCheck | None = None,
        uses: Sequence[Access] = (),
        managed_policies: Sequence[iam.IManagedPolicy] = (),
        **options: Unpack[TaskOptions],
    ) -> None:
        super().__init__(
            scope,
            id,
            cluster=cluster,
            name=name,
            qualified_name=qualified_name or qualify(scope, id),
            described=f"Tasks of {name}.",
            uses=uses,
        )
        check_cluster(name, cluster)
        check_names(name, options)
        cpu, memory_mib = options.get("cpu", DEFAULT_CPU), options.get("memory_mib", DEFAULT_MEMORY_MIB)
        command, secrets = options.get("command"), options.get("secrets")
        ephemeral_storage_gib = options.get("ephemeral_storage_gib")
        stop_timeout_seconds = in_seconds(options.get("stop_timeout"), LONGEST_STOP_SECONDS)
        if not 2 <= stop_timeout_seconds <= LONGEST_STOP_SECONDS:
            raise ConfigurationError(
                f"{name}: stop_timeout is {in_words(stop_timeout_seconds)}; Fargate takes 2 to 120 s."
            )
        check_task_size(name, cpu=cpu, memory_mib=memory_mib)
        if ephemeral_storage_gib is not None and not 21 <= ephemeral_storage_gib <= 200:
            raise ConfigurationError(
                f"{name}: ephemeral_storage_gib is {ephemeral_storage_gib}; Fargate takes 21 to 200, and 20 without it."
            )
        self.cluster = cluster
        self.container_name: str = CONTAINER
        self._execution_document: iam.PolicyDocument | None = None
        self.log_group: logs.LogGroup = logs.LogGroup(
            self,
            "Logs",
            encryption_key=cluster.log_encryption_key,
            retention=cluster.log_retention,
            removal_policy=cluster.log_removal_policy,
        )
        self.task_role: iam.IRole = _role(self, "TaskRole", managed_policies)
        self._role = self.task_role
        self.execution_role: iam.IRole = _role(self, "ExecutionRole")
        self.task_definition: ecs.FargateTaskDefinition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            cpu=cpu,
            memory_limit_mib=memory_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture(architecture_of(name, image, options.get("architecture"))),
                operating_system_family=_linux(),
            ),
            task_role=self.task_role,
            execution_role=self.execution_role,
            volumes=[ecs.Volume(name="tmp")],
        )
        self.container: ecs.ContainerDefinition = self.task_definition.add_container(
            self.container_name,
            image=image,
            command=None if command is None else list(command),
            environment={
                **(options.get("environment") or {}),
                **self._variables,
                "WORKER_NAME": self.qualified_name,
                "HEALTH_FILE": HEALTH_FILE,
                "STOP_TIMEOUT_SECONDS": str(stop_timeout_seconds),
            },
            secrets=dict(secrets) if secrets else None,
            logging=ecs.LogDrivers.aws_logs(
                log_group=self.log_group,
                stream_prefix=log_stream_prefix(name),
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
        check_image(self, image, self.container, cluster.network if cluster.makes_endpoints else None)
        self._keep_execution_grants_in_managed_policy(image)
        self._image = image
        self._reach_what_a_start_takes(secrets=bool(secrets))
        if self._statements:
            _ = self.permissions

    def add_environment(self, name: str, value: str) -> None:
        """Set one variable of the container.

        Args:
            name: The variable.
            value: Its value.
        """
        self.container.add_environment(name, value)

    def add_secret(self, name: str, secret: ecs.Secret) -> None:
        """Set one variable of the container from a secret, and let the task reach the service that keeps it.

        Args:
            name: The variable.
            secret: The secret.
        """
        self.container.add_secret(name, secret)
        self._reach_what_a_start_takes(secrets=True)

    def _reach_what_a_start_takes(self, *, secrets: bool) -> None:
        for service in self._services_to_start(self._image, secrets=secrets):
            self.cluster.add_endpoint(service)

    def _services_to_start(self, image: ecs.ContainerImage, *, secrets: bool) -> Sequence[str]:
        """Where the task's secrets and its registry's credentials come from, by what its execution role is granted."""
        if not self.cluster.makes_endpoints or not (secrets or isinstance(image, ecs.RepositoryImage)):
            return []
        if not secrets and image in _services_of:
            return _services_of[image]
        services = ["secretsmanager", "ssm"]
        if self._execution_document is not None:
            granted = str(self._execution_document.to_json())
            services = [service for service in services if f"'{service}:" in granted]
        if not secrets:
            _services_of[image] = services
        return services

    def _keep_execution_grants_in_managed_policy(self, image: ecs.ContainerImage) -> None:
        """Let what the image, the logs and the secrets need be granted by a managed policy.

        The CDK puts these grants, today's and later ones, into one document, which it attaches as an inline policy;
        auditors want policies that can be seen on their own.
        """
        node = self.execution_role.node
        inline = cast("iam.Policy | None", node.try_find_child("DefaultPolicy"))
        if inline is None:
            return  # a role that others make, by iam.Role.customize_roles: the CDK reports what it must be allowed
        self._execution_document = inline.document
        policy = iam.ManagedPolicy(self.task_definition, "ExecutionPermissions", document=self._execution_document)
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

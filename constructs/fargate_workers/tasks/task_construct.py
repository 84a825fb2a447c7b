"""The base of every construct around one Fargate task."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.alarms import Alerts
from fargate_workers.cloudformation import check_cluster, qualify
from fargate_workers.cluster import WorkerCluster
from fargate_workers.stores import Claims, RedisCache, access_to, claim_store, one_cache
from fargate_workers.tasks.runner_construct import RunnerConstruct
from fargate_workers.tasks.task_options import TaskOptions
from fargate_workers.tasks.worker_task import WorkerTask


class TaskNeeds(NamedTuple):
    """What a construct gives its task besides the options of its user."""

    access: Access = Access((), {})
    managed_policies: Sequence[iam.IManagedPolicy] = ()
    health_check: ecs.HealthCheck | None = None


class TaskConstruct(RunnerConstruct):
    """A construct around one Fargate task: `QueueWorker`, `ScheduledTask` or `ObjectCreatedTask`.

    It makes the task. Grants, connections, permissions and variables of the construct are those of its `task`.

    Args:
        scope: The construct it stands in.
        id: Its name within `scope`, by which alarms and logs know it, too.
        cluster: The cluster that runs the tasks.
        image: The container's image.
        claims: Where the task keeps its claims, if it keeps any.
        cache: The cache that the task connects to, if any.
        alerts: Where the alarms go. Defaults to the cluster's.
        max_tasks: How many tasks run at once; their connections to the cache are counted.
        options: What the task runs, its size and its variables.
        counts_rate: Whether the tasks count a rate in the cache. Defaults to no.
        needs: Returns what the task needs besides; it is called once the construct exists, and may place further
            constructs in it. Defaults to nothing.

    Raises:
        ConfigurationError: The cluster is none of `WorkerCluster`, or claims and cache do not fit together.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        claims: Claims | None,
        cache: RedisCache | None,
        alerts: Alerts | None,
        max_tasks: int,
        options: TaskOptions,
        counts_rate: bool = False,
        needs: Callable[[], TaskNeeds] = TaskNeeds,
    ) -> None:
        super().__init__(scope, id)
        check_cluster(id, cluster)
        redis = one_cache(id, claims, cache, counts_rate=counts_rate)
        self.name: str = id
        self.cluster: WorkerCluster = cluster
        self.max_tasks: int = max_tasks
        self.alerts: Alerts | None = cluster.alerts if alerts is None else alerts
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {}
        own = needs()
        self.task: WorkerTask = WorkerTask(
            self,
            "Task",
            cluster=cluster,
            image=image,
            name=id,
            qualified_name=qualify(scope, id),
            health_check=own.health_check,
            uses=[own.access, claim_store(claims), *access_to(id, claims, redis, max_tasks=max_tasks)],
            managed_policies=own.managed_policies,
            **options,
        )
        self._runner = self.task
        if redis is not None:
            redis.let_in(self.task.connections)

    @property
    def task_definition(self) -> ecs.FargateTaskDefinition:
        """The task's definition."""
        return self.task.task_definition

    def add_secret(self, name: str, secret: ecs.Secret) -> None:
        """Set one variable of the container from a secret, and let the task reach the service that keeps it.

        Args:
            name: The variable.
            secret: The secret.
        """
        self.task.add_secret(name, secret)

"""A deployed worker, as its tags, its service and its task definition describe it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The scalable target of a worker's service.

    Args:
        resource_id: Its name at Application Auto Scaling, `service/CLUSTER/SERVICE`.
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.
        suspended: The kinds of scaling that are suspended, by AWS's names.
    """

    resource_id: str
    min_tasks: int
    max_tasks: int
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker that was found by its tags.

    Args:
        name: Its qualified name, such as `prod-Workers/ApplyOrders`.
        environment: Its environment.
        scaling: Its scalable target.
        alarms: Its alarms' names, by the id of their definition.
    """

    name: str
    environment: str
    scaling: Scaling
    alarms: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def short_name(self) -> str:
        """The construct id, which is what people type."""
        return self.name.rpartition("/")[2]

    @property
    def cluster(self) -> str:
        """The ECS cluster's name."""
        return self.scaling.resource_id.split("/")[1]

    @property
    def service(self) -> str:
        """The ECS service's name."""
        return self.scaling.resource_id.split("/")[2]


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a worker's task definition holds.

    Args:
        revision: The task definition's family and revision, such as `orders:7`.
        image: The container's image.
        architecture: `ARM64` or `X86_64`.
        vcpus: The vCPUs of a task.
        log_group: The name of its log group.
        variables: The container's plain variables. Secrets are never among them.
    """

    revision: str
    image: str
    architecture: str
    vcpus: float
    log_group: str
    variables: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """The service of a worker, at one moment.

    Args:
        arn: Its ARN.
        running: Tasks that run.
        pending: Tasks that start.
        desired: Tasks that should run.
        task_definition: The ARN of its task definition.
        deployment: The state of the newest deployment, such as `COMPLETED`.
        deployed_at: When it began, in seconds since 1970.
        tags: Its tags.
    """

    arn: str
    running: int
    pending: int
    desired: int
    task_definition: str
    deployment: str
    deployed_at: float
    tags: Mapping[str, str]

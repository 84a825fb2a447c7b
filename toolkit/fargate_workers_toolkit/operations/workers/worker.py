"""A deployed worker, as its tags, its service or function, and its settings describe it."""

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
        alarms: Its alarms' names, by the id of their definition.
    """

    name: str
    environment: str
    alarms: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def short_name(self) -> str:
        """The construct id, which is what people type."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class ServiceWorker(Worker):
    """A worker that is an ECS service.

    Args:
        name: Its qualified name.
        environment: Its environment.
        alarms: Its alarms' names, by the id of their definition.
        scaling: Its scalable target.
    """

    scaling: Scaling

    @property
    def cluster(self) -> str:
        """The ECS cluster's name."""
        return self.scaling.resource_id.split("/")[1]

    @property
    def service(self) -> str:
        """The ECS service's name."""
        return self.scaling.resource_id.split("/")[2]


@dataclass(frozen=True, kw_only=True)
class FunctionWorker(Worker):
    """A worker that is a Lambda function, fed by an event source mapping.

    Args:
        name: Its qualified name.
        environment: Its environment.
        alarms: Its alarms' names, by the id of their definition.
        arn: The function's ARN.
    """

    arn: str

    @property
    def function(self) -> str:
        """The function's name."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True, kw_only=True)
class FunctionState:
    """A function and its event source mapping, at one moment.

    Args:
        mapping: The mapping's id. Empty: it is gone.
        state: Its state, in AWS's words, such as `Enabled` or `Disabling`.
        max_concurrency: Invocations at once at most. None: as many as the account has.
        updated_at: When the function's code or settings were deployed last, in seconds since 1970.
        tags: The function's tags.
    """

    mapping: str
    state: str
    max_concurrency: int | None
    updated_at: float
    tags: Mapping[str, str]

    @property
    def is_enabled(self) -> bool:
        """Whether messages reach the function, or will in a moment."""
        return self.state in ("Enabled", "Enabling", "Creating", "Updating")


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a worker's task definition holds, or the settings of its function.

    Args:
        revision: The task definition's family and revision, such as `orders:7`; of a function, its name.
        image: The container's image.
        architecture: `ARM64` or `X86_64`.
        vcpus: The vCPUs of a task; 0 of a function.
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

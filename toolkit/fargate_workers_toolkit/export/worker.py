"""A worker as any platform of containers needs it, read from a template."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ExportedWorker:
    """One worker.

    Args:
        name: Its name in Kubernetes: its construct id with hyphens.
        path: Its construct path.
        region: The region of its stack.
        image: The container image.
        entry_point: The entry point; empty for that of the image.
        command: The command, which an entry point gets as its arguments; empty for that of the image.
        init_process: Whether an init process forwards signals and reaps children. Defaults to False.
        environment: The container's variables.
        secrets: The variables that come from secrets, and the ARN of each.
        user: The user id in the container. None for that of the image.
        group: The group id in the container. None for that of the image.
        read_only: Whether the root of the file system cannot be written.
        vcpus: The size of a task.
        mebibytes: The memory of a task.
        architecture: The processor, as Kubernetes calls it: "arm64" or "amd64".
        stop_timeout: Seconds from SIGTERM to SIGKILL on ECS.
        health: What ECS runs to ask whether the container is well; None where it does not ask.
        role_arn: The ARN of the task role.
        least: The fewest tasks.
        most: The most tasks.
        latency: How long a message may wait, in seconds, where that is what it is scaled by. Defaults to None.
        seconds_a_message: What a message takes, as the template has it. Defaults to 1.
        backlog_per_task: Messages for each task, where that is what it is scaled by. Defaults to None.
    """

    name: str
    path: str
    region: str
    image: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...]
    init_process: bool = False
    environment: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    user: int | None
    group: int | None
    read_only: bool
    vcpus: float
    mebibytes: int
    architecture: str
    stop_timeout: int
    health: "HealthCheck | None"
    role_arn: str
    least: int
    most: int
    latency: float | None = None
    seconds_a_message: float = 1
    backlog_per_task: float | None = None

    @property
    def concurrency(self) -> int:
        """Messages that a task handles at once."""
        return int(self.environment.get("CONCURRENCY", "10"))

    @property
    def max_processing(self) -> int:
        """Seconds that a handler may take."""
        return int(self.environment.get("MAX_PROCESSING_SECONDS", "900"))


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """What ECS runs to ask whether a container is well.

    Args:
        command: The command and its arguments.
        interval: Seconds between two runs.
        timeout: Seconds that a run may take.
        retries: Failures in a row after which the container is replaced.
        start_period: Seconds after the start in which failures do not count.
    """

    command: tuple[str, ...]
    interval: int
    timeout: int
    retries: int
    start_period: int

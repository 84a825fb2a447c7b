"""The options that every construct around one Fargate task takes, written down once."""

import difflib
from collections.abc import Mapping, Sequence
from typing import TypedDict

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs

from fargate_workers.tasks.container_image import Architecture

DEFAULT_CPU = 256
DEFAULT_MEMORY_MIB = 512
LONGEST_STOP_SECONDS = 120


class TaskOptions(TypedDict, total=False):
    """The options of a task, which `QueueWorker`, `ScheduledTask`, `ObjectCreatedTask` and `WorkerTask` pass on.

        QueueWorker(self, "Orders", cluster=cluster, image=image, cpu=1024, memory_mib=2048)

    Attributes:
        command: What the container runs. Defaults to the image's own command.
        cpu: CPU units; 1024 are one vCPU. Defaults to 256, the smallest.
        memory_mib: Memory in MiB. Defaults to 512, the smallest.
        ephemeral_storage_gib: What `/tmp` and the image have together, 21 to 200 GiB. Defaults to 20, which cost
            nothing.
        architecture: "arm64" (cheaper) or "x86_64"; the image must be built for it. Defaults to what `worker_image`
            built the image for, and to "arm64" for any other image.
        environment: Variables of the container, besides those that the constructs set. Defaults to none.
        secrets: Variables of the container that ECS reads from Secrets Manager or Systems Manager. Defaults to none.
        stop_timeout: How long a stopping task may go on, 2 to 120 seconds. Defaults to 120 seconds, Fargate's longest.
    """

    command: Sequence[str] | None
    cpu: int
    memory_mib: int
    ephemeral_storage_gib: int | None
    architecture: Architecture | None
    environment: Mapping[str, str] | None
    secrets: Mapping[str, ecs.Secret] | None
    stop_timeout: Duration | None


def check_names(id: str, options: Mapping[str, object]) -> None:
    """Check that each option exists: Python checks the names of parameters, but not those of a TypedDict.

    Raises:
        TypeError: One is unknown.
    """
    known = TaskOptions.__annotations__
    for name in options:
        if name not in known:
            similar = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {similar[0]}?" if similar else f"a task has {', '.join(known)}."
            raise TypeError(f"{id}: there is no option {name}; {advice}")

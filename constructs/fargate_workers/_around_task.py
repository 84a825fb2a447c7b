"""What every construct around one task offers in the task's name."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from fargate_workers.worker_task import WorkerTask


class AroundTask:
    """Grants, connections, permissions and variables of a construct are those of its `task`."""

    task: WorkerTask

    @property
    def task_definition(self) -> ecs.FargateTaskDefinition:
        return self.task.task_definition

    @property
    def permissions(self) -> iam.ManagedPolicy:
        """What the task may do: grants to this construct are statements in here."""
        return self.task.permissions

    @property
    def grant_principal(self) -> iam.IPrincipal:
        return self.task.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        return self.task.connections

    def add_environment(self, name: str, value: str) -> None:
        """Set one variable of the container."""
        self.task.add_environment(name, value)

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        sid: str | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the task do `actions` on `resources`."""
        self.task.allow(actions, resources, sid=sid, conditions=conditions)

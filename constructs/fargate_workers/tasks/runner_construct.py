"""The base of every construct around one task or one function."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsii
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.durations import seconds
from fargate_workers.tasks.runner import Runner
from fargate_workers_planner.metric_names import RUNTIME_NAMESPACE


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class RunnerConstruct(Construct):
    """A construct around one task or one function, which has the grants, connections, permissions and variables."""

    _runner: Runner

    @property
    def permissions(self) -> iam.ManagedPolicy:
        """The policy with what the code may do: grants to this construct are statements in it."""
        return self._runner.permissions

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The principal to which permissions are granted."""
        return self._runner.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        """The connections of the security group of the task or function."""
        return self._runner.connections

    def metric(self, name: str, *, statistic: str = "Sum", period: Duration | None = None) -> cloudwatch.Metric:
        """One of the metrics that the runtime writes for this worker, for further alarms and dashboards.

            cloudwatch.Alarm(self, "Slow", metric=orders.metric("HandlerSeconds", statistic="p99"), threshold=10, ...)

        Args:
            name: Such as "MessagesHandled", "MessagesFailed" or "HandlerSeconds".
            statistic: CloudWatch's name of it. Defaults to "Sum".
            period: Defaults to a minute.
        """
        return cloudwatch.Metric(
            namespace=RUNTIME_NAMESPACE,
            metric_name=name,
            dimensions_map={"Worker": self._runner.qualified_name},
            statistic=statistic,
            period=seconds(60) if period is None else period,
        )

    def add_environment(self, name: str, value: str) -> None:
        """Set one environment variable.

        Args:
            name: The variable.
            value: Its value.
        """
        self._runner.add_environment(name, value)

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        sid: str | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        """Allow the code `actions` on `resources`.

        Args:
            actions: IAM actions.
            resources: ARNs.
            sid: The statement's id. Defaults to none.
            conditions: IAM conditions. Defaults to none.
        """
        self._runner.allow(actions, resources, sid=sid, conditions=conditions)

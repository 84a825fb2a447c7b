"""What a Fargate task and a Lambda function have in common as runners of a handler."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, cast

import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.cloudformation import group_description
from fargate_workers.cluster import WorkerCluster, https
from fargate_workers.errors import ConfigurationError


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class Runner(Construct):
    """What runs code in AWS, with a policy for all that the code may do and a security group: a task or a function.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network it runs. None is outside of any network.
        name: Its name in errors.
        qualified_name: The name in its log, metrics and claims.
        described: What its security group says of it.
        uses: The permissions and variables that it has from the start, of what it uses.
    """

    _role: iam.IRole

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster | None,
        name: str,
        qualified_name: str,
        described: str,
        uses: Sequence[Access],
    ) -> None:
        super().__init__(scope, id)
        self.name: str = name
        self.qualified_name: str = qualified_name
        self._network_of = cluster
        self._described = described
        self._statements = [statement for access in uses for statement in access.statements]
        self._variables = {variable: value for access in uses for variable, value in access.environment.items()}

    @cached_property
    def permissions(self) -> iam.ManagedPolicy:
        """What the code may do: grants to it are statements in here."""
        # Beneath the role, so that a service, which waits for the role, starts no task before it may do its work.
        return iam.ManagedPolicy(
            cast("Construct", self._role),
            "Permissions",
            roles=[self._role],
            document=iam.PolicyDocument.from_json({"Statement": self._statements}) if self._statements else None,
        )

    @cached_property
    def security_group(self) -> ec2.SecurityGroup:
        """The security group: out by HTTPS, in not at all.

        Raises:
            ConfigurationError: It runs in no network.
        """
        if self._network_of is None:
            raise ConfigurationError(
                f"{self.name}: it runs in no network, where nothing of one is in reach; give it a cluster."
            )
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=self._network_of.vpc,
            description=group_description(self._described),
            allow_all_outbound=False,
        )
        group.add_egress_rule(_anywhere(), https(), "AWS and other services, by HTTPS")
        return group

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The principal to which permissions are granted."""
        return self.permissions.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        """The connections of the security group."""
        return self.security_group.connections

    def add_environment(self, name: str, value: str) -> None:
        """Set one environment variable.

        Args:
            name: The variable.
            value: Its value.
        """
        raise NotImplementedError

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
        self.permissions.add_statements(
            iam.PolicyStatement(
                sid=sid,
                actions=list(actions),
                resources=list(resources),
                conditions=dict(conditions) if conditions else None,
            )
        )


@cache
def _anywhere() -> ec2.IPeer:
    return ec2.Peer.any_ipv4()

"""A PostgreSQL database that exists already."""

import re

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from fargate_workers.cloudformation import check_place, has_token
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores.connection_budget import ConnectionBudget
from fargate_workers.stores.postgres_database import USUAL_POOL, PostgresDatabase, Server, check_address

# What IAM knows a database by: not its name, which may be given to another one later.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
_RESOURCE_ID = re.compile(r"(cluster|db|prx)-[A-Z0-9a-z]+")
_OWN_NAME = re.compile(r"\.rds\.amazonaws\.com(\.cn)?$")
_FIND_RESOURCE_ID = "`aws rds describe-db-clusters --query 'DBClusters[].DbClusterResourceId'`"


class ExistingDatabase(PostgresDatabase):
    """A PostgreSQL database that exists already; `Database.existing` makes it, and has its arguments.

    Attributes:
        host: The address of the server that is written to.
        port: Its port.
        database_name: The name of the database.
        user: The name by which workers sign in.
        security_group: The security group of the database.
        resource_id: The resource id by which IAM knows it, if workers sign in with IAM.
        budget: The connections that tasks were granted, if they are counted.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        host: str,
        name: str,
        user: str,
        security_group: ec2.ISecurityGroup,
        port: int = 5432,
        resource_id: str | None = None,
        password: ecs.Secret | None = None,
        max_connections: int | None = None,
        connections_per_process: int = USUAL_POOL,
        keep_claims: Duration | None = None,
    ) -> None:
        check_address(
            id,
            host=host,
            port=port,
            name=name,
            user=user,
            keep_claims=keep_claims,
            connections_per_process=connections_per_process,
        )
        if (resource_id is None) == (password is None):
            given = "neither resource_id nor password" if password is None else "both resource_id and password"
            raise ConfigurationError(
                f"{id}: {given} is given; give resource_id to sign in with IAM, or password, and not the other."
            )
        if resource_id is not None and not has_token(resource_id) and not _RESOURCE_ID.fullmatch(resource_id):
            raise ConfigurationError(
                f'{id}: resource_id is {resource_id!r}; IAM knows a database by an id such as "cluster-ABC123", which '
                f"{_FIND_RESOURCE_ID} prints."
            )
        if resource_id is not None and not has_token(host) and not _OWN_NAME.search(host):
            raise ConfigurationError(
                f"{id}: host {host!r} is not a name of RDS, for which alone IAM's tokens are signed; give the endpoint "
                "that RDS prints."
            )
        if max_connections is not None and max_connections < 1:
            raise ConfigurationError(f"{id}: max_connections is {max_connections}; use what the server accepts.")
        super().__init__(
            scope,
            id,
            server=lambda: Server(host, str(port), security_group, resource_id),
            port=port,
            name=name,
            user=user,
            password=password,
            keep_claims=keep_claims,
            connections_per_process=connections_per_process,
            budget=None
            if max_connections is None
            else ConnectionBudget(
                id,
                max_clients=max_connections,
                usual_pool=connections_per_process,
                bearer="its server",
                way_out="lower max_tasks or connections_per_process, or raise the server's max_connections",
            ),
        )
        check_place(self, "security_group", security_group, way_out="a task reaches only a database in its own network")

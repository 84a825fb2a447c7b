"""A Redis-compatible cache that workers reach over TLS, without a password, within a budget of connections."""

from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

import jsii
from aws_cdk import Names, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_kms as kms
from constructs import Construct

from fargate_workers import cache_node
from fargate_workers._access import Access, AccessibleTask
from fargate_workers._acknowledge import acknowledge
from fargate_workers._aws import arn
from fargate_workers._service_role import allow
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import redis_alarms
from fargate_workers.connection_budget import ConnectionBudget

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts
    from fargate_workers.worker_cluster import WorkerCluster

Purpose = Literal["cache", "locks"]

# One parameter group family per major version; minor versions arrive by themselves.
ENGINE_VERSION, FAMILY = "9.1", "valkey9"
# Every key and command, but none that looks into the server, changes it or empties it.
ACCESS = "on ~* &* +@all -@dangerous"
# Not Redis's 6379, which is the first port a scanner tries.
PORT = 6380
_EVICTION: dict[Purpose, str] = {"cache": "allkeys-lru", "locks": "noeviction"}


class ConnectingTask(AccessibleTask, Protocol):
    """What is needed of whoever is let in later: a QueueWorker or something like it."""

    @property
    def name(self) -> str: ...

    @property
    def max_tasks(self) -> int: ...

    @property
    def connections(self) -> ec2.Connections: ...


@jsii.implements(ec2.IConnectable)
class RedisCache(Construct):
    """Valkey on ElastiCache: encrypted, private, replicated, and open only to whom it is granted.

    Makes a replication group (one shard) with a parameter group, a subnet group and a security group of its own, a
    user that signs in with IAM, its user group, and the cache's alarms. There is no password, hence none to leak:
    a task signs a token with its own role.

        cache = RedisCache(self, "Cache", cluster=cluster)
        QueueWorker(self, "Orders", cluster=cluster, image=image, cache=cache)

    cluster: The cluster whose VPC and subnets the cache stands in.
    purpose: "cache" evicts the least recently used keys when memory is full (`allkeys-lru`); "locks" refuses writes
        instead (`noeviction`), because a lock, a queue or a counter must never vanish. Two purposes need two caches.
        Default: "cache".
    node_type: Default: "cache.t4g.micro", the cheapest.
    multi_az: Keep a replica in another zone and fail over to it by itself. Default: True.
    replicas: How many copies beside the primary, at most 5. Default: 1 with multi_az, else 0.
    snapshot_retention_days: How many daily snapshots to keep, at most 35; 0 takes none. Default: 7. The HIPAA and
        NIST 800-53 rule packs of cdk-nag ask for 15.
    encryption_key: A customer key for the data at rest. Default: ElastiCache's own.
    alerts: Whom the alarms tell. Default: the cluster's.
    removal_policy: Default: SNAPSHOT, one last snapshot. RETAIN keeps the cache and everything it stands on.

    Raises ValueError when a value is impossible, and when the workers could open more connections than the cache
    bears (see `access`).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: "WorkerCluster",
        purpose: Purpose = "cache",
        node_type: str = "cache.t4g.micro",
        multi_az: bool = True,
        replicas: int | None = None,
        snapshot_retention_days: int = 7,
        encryption_key: kms.IKey | None = None,
        alerts: "Alerts | None" = None,
        removal_policy: RemovalPolicy = RemovalPolicy.SNAPSHOT,
    ) -> None:
        super().__init__(scope, id)
        if replicas is None:
            replicas = 1 if multi_az else 0
        _check(
            id, purpose=purpose, multi_az=multi_az, replicas=replicas, snapshot_retention_days=snapshot_retention_days
        )
        self.purpose: Purpose = purpose
        self.budget = ConnectionBudget(id, max_clients=cache_node.max_clients(node_type))
        self.node_type = node_type

        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=cluster.vpc,
            description="Whoever may connect to the cache",
            allow_all_outbound=False,
        )
        self._connections = ec2.Connections(security_groups=[self.security_group], default_port=_port())
        self.user_name = Names.unique_resource_name(self, max_length=40).lower()
        self.user = elasticache.CfnUser(
            self,
            "User",
            engine="valkey",
            user_id=self.user_name,
            user_name=self.user_name,  # IAM authentication wants both to be the same
            access_string=ACCESS,
            authentication_mode={"Type": "iam"},
        )
        # Only Redis OSS groups must hold a user named `default`: in this one nobody else can sign in.
        self.user_group = elasticache.CfnUserGroup(
            self, "UserGroup", engine="valkey", user_group_id=self.user_name, user_ids=[self.user.ref]
        )
        self.parameter_group = elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family=FAMILY,
            description=f"Valkey for {purpose}",
            # A task that died without a goodbye gives its connections back after five minutes.
            properties={"maxmemory-policy": _EVICTION[purpose], "timeout": "300"},
        )
        self.subnet_group = elasticache.CfnSubnetGroup(
            self, "Subnets", description="The workers' subnets", subnet_ids=cluster.subnet_ids
        )
        self.replication_group = elasticache.CfnReplicationGroup(
            self,
            "ReplicationGroup",
            replication_group_description=f"Valkey for {purpose}",
            engine="valkey",
            engine_version=ENGINE_VERSION,
            auto_minor_version_upgrade=True,
            cache_node_type=node_type,
            num_cache_clusters=1 + replicas,
            multi_az_enabled=multi_az,
            automatic_failover_enabled=multi_az,
            port=PORT,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=None if encryption_key is None else encryption_key.key_arn,
            user_group_ids=[self.user_group.ref],
            security_group_ids=[self.security_group.security_group_id],
            cache_subnet_group_name=self.subnet_group.ref,
            cache_parameter_group_name=self.parameter_group.ref,
            snapshot_retention_limit=snapshot_retention_days,
        )
        self._keep(removal_policy)
        acknowledge(
            self.replication_group,
            {
                "AwsSolutions-AEC6": "The rule knows only `authToken`. This cache has users instead: its user group "
                "holds a single one, which signs in with IAM over TLS, so there is no shared token to leak."
            },
        )

        self.replication_group_id = self.replication_group.ref
        self.host = self.replication_group.attr_primary_end_point_address
        self.port = self.replication_group.attr_primary_end_point_port
        # ElastiCache numbers the nodes of a replication group like this, whichever is primary.
        self.cache_cluster_ids = [f"{self.replication_group_id}-{number:03}" for number in range(1, 2 + replicas)]
        self.alarms = [
            add_alarm(self, definition, subject=id, alerts=cluster.alerts if alerts is None else alerts)
            for definition in redis_alarms(
                cache_cluster_ids=self.cache_cluster_ids,
                vcpus=cache_node.vcpus(node_type),
                connection_budget=self.budget.max_clients,
                evicts_by_design=purpose == "cache",
            )
        ]

    @property
    def connections(self) -> ec2.Connections:
        """The cache's security group and port, for `worker.connections.allow_to_default_port(cache)`."""
        return self._connections

    def grant_connect(self, task: ConnectingTask, *, connections_per_task: int | None = None) -> None:
        """Let a task that was made without `cache=` connect, too, or with another number of connections.

        `connections_per_task` is the size of the pool in each task. Default: 50, or as many as are left when that is
        fewer. Raises ValueError as `access` does.
        """
        access = self.access(task.name, max_tasks=task.max_tasks, connections_per_task=connections_per_task)
        access.give_to(task)
        self.let_in(task.connections)

    def let_in(self, connections: ec2.Connections) -> None:
        """Open the network between `connections` and the cache."""
        # From the task's side, so that both rules end up in its stack: the cache's stack never points back at it.
        connections.allow_to_default_port(self._connections, "Redis")

    def access(self, name: str, *, max_tasks: int, connections_per_task: int | None = None) -> Access:
        """Sign in to the cache and know where it is; counts the connections of `name`'s tasks.

        Sets REDIS_HOST, REDIS_PORT, REDIS_TLS, REDIS_USER, REDIS_REPLICATION_GROUP_ID and REDIS_MAX_CONNECTIONS, the
        size of the pool in each task: `connections_per_task`. Default: 50, or as many as are left when that is fewer.

        Raises ValueError when max tasks x pool x 2 (a deployment runs old and new tasks together), over all workers,
        exceeds 80 % of what a node accepts.
        """
        self.budget = self.budget.grant(name, max_tasks=max_tasks, connections_per_task=connections_per_task)
        connect = allow(
            ["elasticache:Connect"],
            arn("elasticache", f"replicationgroup:{self.replication_group_id}"),
            arn("elasticache", f"user:{self.user_name}"),
        )
        return Access(
            [connect],
            {
                "REDIS_HOST": self.host,
                "REDIS_PORT": self.port,
                "REDIS_TLS": "true",
                "REDIS_USER": self.user_name,
                "REDIS_REPLICATION_GROUP_ID": self.replication_group_id,
                "REDIS_MAX_CONNECTIONS": str(self.budget.shares[-1].connections_per_task),
            },
        )

    def _keep(self, removal_policy: RemovalPolicy) -> None:
        self.replication_group.apply_removal_policy(removal_policy)
        if removal_policy in (RemovalPolicy.RETAIN, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE):
            # CloudFormation cannot delete what the kept cache still uses, and would give up on the whole stack.
            for used in (self.security_group, self.user, self.user_group, self.parameter_group, self.subnet_group):
                used.apply_removal_policy(removal_policy)


@cache
def _port() -> ec2.Port:
    return ec2.Port.tcp(PORT)


def _check(id: str, *, purpose: str, multi_az: bool, replicas: int, snapshot_retention_days: int) -> None:
    if purpose not in _EVICTION:
        raise ValueError(f"{id}: purpose is {purpose!r}; use one of {', '.join(_EVICTION)}.")
    fewest = 1 if multi_az else 0
    if not fewest <= replicas <= 5:
        raise ValueError(f"{id}: replicas is {replicas}; use {fewest} to 5 with multi_az={multi_az}.")
    if not 0 <= snapshot_retention_days <= 35:
        raise ValueError(f"{id}: snapshot_retention_days is {snapshot_retention_days}; use 0 to 35.")

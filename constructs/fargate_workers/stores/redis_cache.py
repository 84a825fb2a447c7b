"""A Redis-compatible cache that workers reach over TLS, without a password, within a budget of connections."""

from functools import cache
from typing import Literal

import jsii
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_kms as kms
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.alarms import Alerts, add_alarm
from fargate_workers.alarms.catalogue import redis_alarms
from fargate_workers.cloudformation import KEY_WAY_OUT, allow, arn, check_place, qualify, unique_name
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import acknowledge
from fargate_workers.durations import in_seconds, in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores import cache_node
from fargate_workers.stores.connecting_task import ConnectingTask, TaskRules
from fargate_workers.stores.connection_budget import ConnectionBudget

Eviction = Literal["allkeys-lru", "noeviction"]

# One parameter group family per major version; minor versions arrive by themselves.
ENGINE_VERSION, FAMILY = "9.1", "valkey9"
# Every key and command, but none that changes the server, empties it or looks into it: but for INFO, by which a worker
# sees at its start whether the server evicts what must stay.
ACCESS = "on ~* &* +@all -@dangerous +info"
SNAPSHOT_RETENTION = 7 * 86_400
# Not Redis's 6379, which is the first port a scanner tries.
PORT = 6380
# Descriptions of what is deployed, which stay as they are.
_DESCRIPTIONS: dict[Eviction, str] = {"allkeys-lru": "Valkey for cache", "noeviction": "Valkey for locks"}


@jsii.implements(ec2.IConnectable)
class RedisCache(Construct):
    """A Redis-compatible cache: Valkey on ElastiCache, encrypted, private, and reachable only by tasks with a grant.

    Makes a replication group (one shard) with a parameter group, a subnet group and a security group of its own, a
    user that signs in with IAM, its user group, and the cache's alarms. There is no password, hence none to leak:
    a task signs a token with its own role.

        cache = RedisCache(self, "Cache", cluster=cluster)
        QueueWorker(self, "Orders", cluster=cluster, image=image, cache=cache)

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network and subnets the cache stands.
        eviction: What happens when memory is full. "allkeys-lru" evicts the least recently used keys. "noeviction"
            refuses writes instead, because a claim, a lock, a counter or a total must never vanish. Defaults to
            "allkeys-lru".
        node_type: ElastiCache's node type. Defaults to "cache.t4g.micro", the cheapest.
        multi_az: Whether a replica in another zone takes over when the primary fails. Defaults to True.
        replicas: Copies beside the primary, at most 5. Defaults to 1 with `multi_az`, else 0.
        snapshot_retention: How long daily snapshots are kept, in whole days, at most 35; 0 takes none. The HIPAA and
            NIST 800-53 rule packs of cdk-nag ask for 15 days. Defaults to 7 days.
        encryption_key: A customer-managed key for the data at rest. Defaults to ElastiCache's own.
        alerts: The alerts that receive the cache's alarms. Defaults to the cluster's.
        removal_policy: What happens to the cache when it leaves the stack. RETAIN keeps it and all it stands on, except
            from a first deployment that fails; keep the cluster's network as well. Defaults to SNAPSHOT: one last
            snapshot.

    Attributes:
        replication_group: The replication group.
        cluster: The cluster in whose network the cache stands.
        host: The address of the primary.
        port: Its port.
        security_group: The cache's security group.
        eviction: What happens when memory is full.
        budget: The connections that tasks were granted.
        alarms: The alarms, by the id of their definition.

    Raises:
        ConfigurationError: A value is out of its range, or workers could open more connections than the cache bears
            (see `access`).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        eviction: Eviction = "allkeys-lru",
        node_type: str = "cache.t4g.micro",
        multi_az: bool = True,
        replicas: int | None = None,
        snapshot_retention: Duration | None = None,
        encryption_key: kms.IKey | None = None,
        alerts: Alerts | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.SNAPSHOT,
    ) -> None:
        super().__init__(scope, id)
        snapshot_retention_seconds = in_seconds(snapshot_retention, SNAPSHOT_RETENTION)
        if replicas is None:
            replicas = 1 if multi_az else 0
        _check(
            id,
            eviction=eviction,
            multi_az=multi_az,
            replicas=replicas,
            snapshot_retention_seconds=snapshot_retention_seconds,
        )
        if encryption_key is not None:
            check_place(self, "encryption_key", encryption_key, way_out=KEY_WAY_OUT, any_account=True)
        self.cluster: WorkerCluster = cluster
        self.eviction: Eviction = eviction
        self.budget: ConnectionBudget = ConnectionBudget(id, max_clients=cache_node.max_clients(node_type))
        self.node_type: str = node_type

        self.security_group: ec2.SecurityGroup = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=cluster.vpc,
            description="Whoever may connect to the cache",
            allow_all_outbound=False,
        )
        self._connections = ec2.Connections(security_groups=[self.security_group], default_port=_port())
        self._rules = TaskRules(
            id, self._connections, protocol="Redis", instead="give further tasks a cache of their own"
        )
        name = unique_name(self)
        self.user: elasticache.CfnUser = elasticache.CfnUser(
            self,
            "User",
            engine="valkey",
            user_id=name,
            user_name=name,  # IAM authentication wants both to be the same
            access_string=ACCESS,
            authentication_mode={"Type": "iam"},
        )
        self.user_name: str = self.user.ref
        # Only Redis OSS groups must hold a user named `default`: in this one nobody else can sign in.
        self.user_group: elasticache.CfnUserGroup = elasticache.CfnUserGroup(
            self, "UserGroup", engine="valkey", user_group_id=name, user_ids=[self.user_name]
        )
        self.parameter_group: elasticache.CfnParameterGroup = elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family=FAMILY,
            description=_DESCRIPTIONS[eviction],
            # A task that died without a goodbye gives its connections back after five minutes.
            properties={
                "maxmemory-policy": eviction,
                "timeout": "300",
                **cache_node.reserved_memory(node_type),
            },
        )
        self.subnet_group: elasticache.CfnSubnetGroup = elasticache.CfnSubnetGroup(
            self, "Subnets", description="The workers' subnets", subnet_ids=cluster.subnets
        )
        self.replication_group: elasticache.CfnReplicationGroup = elasticache.CfnReplicationGroup(
            self,
            "ReplicationGroup",
            replication_group_description=_DESCRIPTIONS[eviction],
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
            snapshot_retention_limit=snapshot_retention_seconds // 86_400,
        )
        self._keep(removal_policy)
        acknowledge(
            self.replication_group,
            {
                "AwsSolutions-AEC6": "The rule knows only `authToken`. This cache has users instead: its user group "
                "holds a single one, which signs in with IAM over TLS, so there is no shared token to leak."
            },
        )

        self.replication_group_id: str = self.replication_group.ref
        self.host: str = self.replication_group.attr_primary_end_point_address
        self.port: str = self.replication_group.attr_primary_end_point_port
        # ElastiCache numbers the nodes of a replication group like this, whichever is primary.
        self.cache_cluster_ids: list[str] = [
            f"{self.replication_group_id}-{number:03}" for number in range(1, 2 + replicas)
        ]
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {
            definition.id: add_alarm(
                self,
                definition,
                subject=qualify(scope, id),
                alerts=cluster.alerts if alerts is None else alerts,
                environment=cluster.environment,
            )
            for definition in redis_alarms(
                cache_cluster_ids=self.cache_cluster_ids,
                vcpus=cache_node.vcpus(node_type),
                connection_budget=self.budget.max_clients,
                evicts_by_design=eviction == "allkeys-lru",
            )
        }

    @property
    def connections(self) -> ec2.Connections:
        """The cache's security group and port, for `worker.connections.allow_to_default_port(cache)`."""
        return self._connections

    def grant_connect(self, task: ConnectingTask, *, connections_per_task: int | None = None) -> None:
        """Let a task that was made without `cache=` connect, too, or with another number of connections.

        Args:
            task: A `QueueWorker`, another construct around a task, or something like it.
            connections_per_task: The size of the pool in each task. Defaults to 50, or as many as are left when that is
                fewer.

        Raises:
            ConfigurationError: The workers could open more connections than the cache bears.
        """
        access = self.access(task.name, max_tasks=task.max_tasks, connections_per_task=connections_per_task)
        access.give_to(task)
        self.let_in(task.connections)

    def let_in(self, connections: ec2.Connections) -> None:
        """Open the network between a task and the cache.

        Args:
            connections: The task's connections.

        Raises:
            ConfigurationError: More tasks connect than AWS takes rules in one security group.
        """
        self._rules.let_in(connections)

    def access(
        self, name: str, *, max_tasks: int, connections_per_task: int | None = None, prefix: str = "REDIS_"
    ) -> Access:
        """The permission and variables by which a task signs in to the cache; counts the connections of its tasks.

        Sets REDIS_HOST, REDIS_PORT, REDIS_TLS, REDIS_USER, REDIS_REPLICATION_GROUP_ID and REDIS_MAX_CONNECTIONS, the
        size of the pool in each task.

        Args:
            name: The name of the worker, for the error.
            max_tasks: Tasks that may run at most.
            connections_per_task: The size of the pool in each task. Defaults to 50, or as many as are left when that is
                fewer.
            prefix: How the variables' names begin. Defaults to "REDIS_".

        Raises:
            ConfigurationError: max tasks x pool x 2 (a deployment runs old and new tasks together), over all workers,
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
                f"{prefix}HOST": self.host,
                f"{prefix}PORT": self.port,
                f"{prefix}TLS": "true",
                f"{prefix}USER": self.user_name,
                f"{prefix}REPLICATION_GROUP_ID": self.replication_group_id,
                f"{prefix}MAX_CONNECTIONS": str(self.budget.shares[-1].connections_per_task),
            },
        )

    def _keep(self, removal_policy: RemovalPolicy) -> None:
        if removal_policy == RemovalPolicy.RETAIN:
            removal_policy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        self.replication_group.apply_removal_policy(removal_policy)
        if removal_policy == RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE:
            # CloudFormation cannot delete what the kept cache still uses, and would give up on the whole stack.
            for used in (self.security_group, self.user, self.user_group, self.parameter_group, self.subnet_group):
                used.apply_removal_policy(removal_policy)


@cache
def _port() -> ec2.Port:
    return ec2.Port.tcp(PORT)


def _check(id: str, *, eviction: str, multi_az: bool, replicas: int, snapshot_retention_seconds: int) -> None:
    if eviction not in _DESCRIPTIONS:
        raise ConfigurationError(f"{id}: eviction is {eviction!r}; use one of {', '.join(_DESCRIPTIONS)}.")
    fewest = 1 if multi_az else 0
    if not fewest <= replicas <= 5:
        raise ConfigurationError(f"{id}: replicas is {replicas}; use {fewest} to 5 with multi_az={multi_az}.")
    if not 0 <= snapshot_retention_seconds <= 35 * 86_400 or snapshot_retention_seconds % 86_400:
        raise ConfigurationError(
            f"{id}: snapshot_retention is {in_words(snapshot_retention_seconds)}; use 0 to 35 whole days."
        )

"""A PostgreSQL database in which a worker records a message and its effect in one transaction."""

from typing import cast

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from fargate_workers.alarms import Alerts, add_alarm
from fargate_workers.alarms.catalogue import database_alarms
from fargate_workers.cloudformation import KEY_WAY_OUT, check_place, qualify, unique_name
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import acknowledge, acknowledge_checkov
from fargate_workers.durations import in_seconds, in_words, seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores.aurora_capacity import BYTES_PER_ACU, check_capacity, max_connections
from fargate_workers.stores.connection_budget import ConnectionBudget
from fargate_workers.stores.existing_database import ExistingDatabase
from fargate_workers.stores.postgres_database import USUAL_POOL, PostgresDatabase, Server, check_address

PORT = 5432
BACKUP_RETENTION = 7 * 86_400
IDLE_TRANSACTION = 900
# Of DatabaseCluster, whose name of this user is the engine's.
MASTER_USER = "postgres"
_LOG = "postgresql"


class Database(PostgresDatabase):
    """A PostgreSQL database: Aurora Serverless v2, encrypted, private, and reachable only by workers with a grant.

    With `claims=database` a worker writes one row per message into the transaction of the effect itself, so that both
    are there or neither is. There is no password: a task signs a token with its own role, over TLS, which the server
    demands.

        database = Database(self, "Orders", cluster=cluster)
        QueueWorker(self, "Apply", cluster=cluster, image=image, claims=database)

    Makes a cluster with a writer, a standby in another zone, a parameter group, a subnet group, a security group and a
    log group of its own, and the database's alarms. The secret of the master user is made and rotated by RDS, and no
    worker receives it. The master user creates the role of the workers once, for which `data_api` needs no way into the
    network: `fargate-workers database schema` prints the statements, with the tables of the claims.

    An ACU-hour costs about $0.12 in us-east-1, for each of both instances: with the defaults 88 to 701 dollars a month,
    without the standby half of it. Storage is $0.10 per GB and month; a million reads or writes of it cost $0.20.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network and subnets the database stands. It has two zones or more.
        name: The name of the database. Defaults to "app".
        user: The name by which workers sign in. Defaults to "worker".
        min_acu: The smallest capacity, in Aurora capacity units of 2 GiB, in steps of 0.5. With 0 it pauses after five
            minutes without a connection, and the next one waits about 15 s. Defaults to 0.5.
        max_acu: The largest capacity, 256 at most. It also decides how many connections there are: 189 with 1, 823 with
            4, 1669 with 8. Defaults to 4.
        multi_az: Whether a standby in another zone takes over when the writer fails. Without it a new writer is made,
            which takes up to ten minutes. Defaults to True.
        backup_retention: How far back the database can be restored to any second, in whole days, 1 to 35. Defaults to
            7 days.
        idle_transaction: How long a transaction may send nothing before the server ends it: so long, at most, the lock
            of a host that vanished is kept. A worker's `max_processing` may not exceed it. Defaults to 15 minutes.
        keep_claims: How long a key is kept, so that a message that comes back is recognised; ten million messages a day
            are about 1.2 GB a day. Defaults to 28 days.
        connections_per_process: The size of the pool in each process of a worker, or as many as are left when that is
            fewer: so many handlers write at once. Defaults to 10.
        data_api: Whether SQL can also be sent over HTTPS by those who may use `rds-data` and read the master user's
            secret. Defaults to True.
        encryption_key: A customer-managed key for the data at rest. It is final: another one makes another database.
            Defaults to RDS's own.
        deletion_protection: Whether RDS refuses to delete the cluster. A first deployment that fails could not be
            undone with it, so switch it on after that. Defaults to False.
        alerts: The alerts that receive the database's alarms. Defaults to the cluster's.
        removal_policy: What happens to the database when it leaves the stack. RETAIN keeps it and all it stands on,
            except from a first deployment that fails; keep the cluster's network as well. Defaults to SNAPSHOT: one
            last snapshot.

    Attributes:
        cluster: The database cluster.
        host: The address of the writer.
        port: Its port.
        database_name: The name of the database.
        user: The name by which workers sign in.
        security_group: The database's security group.
        resource_id: The id by which IAM knows the cluster.
        master_secret_arn: The secret of the master user.
        log_group: The log group of the server's log.
        budget: The connections that tasks were granted.
        alarms: The alarms, by the id of their definition.

    Raises:
        ConfigurationError: A value is out of its range, the cluster has one zone, or workers could open more
            connections than the database bears (see `access`).
    """

    cluster: rds.DatabaseCluster
    log_group: logs.LogGroup
    parameter_group: rds.ParameterGroup
    subnet_group: rds.SubnetGroup

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        name: str = "app",
        user: str = "worker",
        min_acu: float = 0.5,
        max_acu: float = 4,
        multi_az: bool = True,
        backup_retention: Duration | None = None,
        idle_transaction: Duration | None = None,
        keep_claims: Duration | None = None,
        connections_per_process: int = USUAL_POOL,
        data_api: bool = True,
        encryption_key: kms.IKey | None = None,
        deletion_protection: bool = False,
        alerts: Alerts | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.SNAPSHOT,
    ) -> None:
        backup_retention_seconds = in_seconds(backup_retention, BACKUP_RETENTION)
        idle_transaction_seconds = in_seconds(idle_transaction, IDLE_TRANSACTION)
        check_address(
            id,
            host="localhost",
            port=PORT,
            name=name,
            user=user,
            keep_claims=keep_claims,
            connections_per_process=connections_per_process,
        )
        check_capacity(id, min_acu=min_acu, max_acu=max_acu)
        _check(
            id,
            user=user,
            backup_retention_seconds=backup_retention_seconds,
            idle_transaction_seconds=idle_transaction_seconds,
        )
        _check_zones(id, cluster)
        if encryption_key is not None:
            check_place(scope, "encryption_key", encryption_key, way_out=KEY_WAY_OUT, any_account=True)

        accepts = max_connections(min_acu=min_acu, max_acu=max_acu)

        def server() -> Server:
            security_group = ec2.SecurityGroup(
                self,
                "SecurityGroup",
                vpc=cluster.vpc,
                description="Whoever may connect to the database",
                allow_all_outbound=False,
            )
            cluster_identifier = unique_name(self)
            # RDS would make one that never forgets, and without the key.
            self.log_group = logs.LogGroup(
                self,
                "Logs",
                log_group_name=f"/aws/rds/cluster/{cluster_identifier}/{_LOG}",
                encryption_key=cluster.log_encryption_key,
                retention=cluster.log_retention,
                removal_policy=cluster.log_removal_policy,
            )
            engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_9)
            self.parameter_group = rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                description="Of a database of workers",
                parameters=_parameters(idle_transaction_seconds),
            )
            self.subnet_group = rds.SubnetGroup(
                self,
                "Subnets",
                description="The workers' subnets",
                vpc=cluster.vpc,
                vpc_subnets=ec2.SubnetSelection(subnets=cluster.subnets),
            )
            self.cluster = rds.DatabaseCluster(
                self,
                "Cluster",
                engine=engine,
                cluster_identifier=cluster_identifier,
                default_database_name=name,
                port=PORT,
                writer=_instance("Writer"),
                readers=[_instance("Standby", scale_with_writer=True)] if multi_az else None,
                serverless_v2_min_capacity=min_acu,
                serverless_v2_max_capacity=max_acu,
                vpc=cluster.vpc,
                vpc_subnets=ec2.SubnetSelection(subnets=cluster.subnets),
                subnet_group=self.subnet_group,
                security_groups=[security_group],
                parameter_group=self.parameter_group,
                iam_authentication=True,
                manage_master_user_password=True,
                enable_data_api=data_api,
                storage_encrypted=True,
                storage_encryption_key=encryption_key,
                backup=rds.BackupProps(retention=seconds(backup_retention_seconds)),
                copy_tags_to_snapshot=True,
                cloudwatch_logs_exports=[_LOG],
                auto_minor_version_upgrade=True,
                deletion_protection=deletion_protection,
                removal_policy=removal_policy,
            )
            self.cluster.node.add_dependency(self.log_group)
            acknowledge(self.cluster, _findings(deletion_protection=deletion_protection))
            for instance in self.cluster.node.find_all():
                if isinstance(instance, rds.CfnDBInstance):
                    reason = "A serverless instance has no processes to watch; its capacity and memory have alarms."
                    acknowledge_checkov(instance, {"CKV_AWS_118": reason})
            made = cast("rds.CfnDBCluster", self.cluster.node.default_child)
            return Server(
                made.attr_endpoint_address, made.attr_endpoint_port, security_group, made.attr_db_cluster_resource_id
            )

        super().__init__(
            scope,
            id,
            server=server,
            port=PORT,
            name=name,
            user=user,
            password=None,
            keep_claims=keep_claims,
            connections_per_process=connections_per_process,
            budget=ConnectionBudget(
                id,
                max_clients=accepts,
                usual_pool=connections_per_process,
                bearer="its writer",
                way_out="lower max_tasks or connections_per_process, or raise max_acu",
            ),
            idle_transaction_seconds=idle_transaction_seconds,
        )
        self.master_secret_arn: str = _master_secret_arn(self.cluster)
        self._keep(removal_policy)
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {
            definition.id: add_alarm(
                self,
                definition,
                subject=qualify(scope, id),
                alerts=cluster.alerts if alerts is None else alerts,
                environment=cluster.environment,
            )
            for definition in database_alarms(
                cluster_identifier=self.cluster.cluster_identifier,
                log_group_name=self.log_group.log_group_name,
                max_connections=accepts,
                memory_bytes=int(max_acu * BYTES_PER_ACU),
            )
        }

    @classmethod
    def existing(
        cls,
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
    ) -> ExistingDatabase:
        """A PostgreSQL database that exists already; it is used as it is, and has no alarms here.

            Database.existing(
                self,
                "Orders",
                host="orders.cluster-c1.eu-west-1.rds.amazonaws.com",
                name="orders",
                user="worker",
                security_group=ec2.SecurityGroup.from_security_group_id(self, "Group", "sg-0a1b2c3d"),
                resource_id="cluster-ABCDEFGHIJKL01234",
            )

        Args:
            scope: The construct that it belongs to.
            id: The id of the construct.
            host: The address of the server that is written to: of Aurora, the cluster's endpoint.
            name: The name of the database.
            user: The name by which workers sign in.
            security_group: The security group of the database, in the network of the workers.
            port: The port of the server. Defaults to 5432.
            resource_id: The resource id of the cluster, the instance or the proxy, by which workers sign in with IAM,
                such as "cluster-ABCDEFGHIJKL01234". Defaults to none: they sign in by password.
            password: The password of `user`, a secret. Defaults to none: workers sign in with IAM.
            max_connections: The connections that the server accepts. Defaults to not known, and nothing is checked.
            connections_per_process: The size of the pool in each process of a worker. Defaults to 10.
            keep_claims: How long a key is kept. Defaults to 28 days.

        Raises:
            ConfigurationError: A value is out of its range, the host is the readers' endpoint, or not exactly one of
                `resource_id` and `password` is given.
        """
        return ExistingDatabase(
            scope,
            id,
            host=host,
            name=name,
            user=user,
            security_group=security_group,
            port=port,
            resource_id=resource_id,
            password=password,
            max_connections=max_connections,
            connections_per_process=connections_per_process,
            keep_claims=keep_claims,
        )

    def _keep(self, removal_policy: RemovalPolicy) -> None:
        if removal_policy == RemovalPolicy.RETAIN:
            removal_policy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        if removal_policy != RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE:
            return
        # CloudFormation cannot delete what the kept cluster still uses, and would give up on the whole stack.
        for part in (self.cluster, self.security_group, self.parameter_group, self.subnet_group):
            for each in part.node.find_all():
                if isinstance(each, CfnResource):
                    each.apply_removal_policy(removal_policy)


def _findings(*, deletion_protection: bool) -> dict[str, str]:
    """What the rule packs find in any cluster made here."""
    findings = {
        "RDSEnhancedMonitoringEnabled": "CloudWatch's own metrics of the cluster have alarms; metrics of the operating "
        "system would take a role that AWS's managed policy opens to every log group of RDS.",
        "RDSInBackupPlan": "Aurora backs itself up continuously and restores to any second of backup_retention; a plan "
        "of AWS Backup may be added to it.",
    }
    refused = "A first deployment that fails could not be undone with it; removal_policy keeps the data without it."
    protection = {} if deletion_protection else {"AwsSolutions-RDS10": refused}
    if not deletion_protection:
        findings["RDSInstanceDeletionProtectionEnabled"] = refused
    packs = ("HIPAA.Security", "NIST.800.53.R5")
    return {**protection, **{f"{pack}-{rule}": reason for pack in packs for rule, reason in findings.items()}}


def _parameters(idle_transaction_seconds: int) -> dict[str, str]:
    return {
        "rds.force_ssl": "1",
        # Of a host that vanished: its connections end after a minute, and with them the locks of what it had begun.
        "idle_in_transaction_session_timeout": str(1_000 * idle_transaction_seconds),
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }


def _instance(id: str, *, scale_with_writer: bool | None = None) -> rds.IClusterInstance:
    return rds.ClusterInstance.serverless_v2(
        id, publicly_accessible=False, auto_minor_version_upgrade=True, scale_with_writer=scale_with_writer
    )


def _master_secret_arn(cluster: rds.DatabaseCluster) -> str:
    secret = cluster.secret
    return "" if secret is None else secret.secret_arn


def _check(id: str, *, user: str, backup_retention_seconds: int, idle_transaction_seconds: int) -> None:
    if user in (MASTER_USER, "rdsadmin"):
        raise ConfigurationError(
            f'{id}: user is {user!r}, who may do everything; give workers a role of their own, such as "worker".'
        )
    if not 86_400 <= backup_retention_seconds <= 35 * 86_400 or backup_retention_seconds % 86_400:
        raise ConfigurationError(
            f"{id}: backup_retention is {in_words(backup_retention_seconds)}; use 1 to 35 whole days."
        )
    if not 60 <= idle_transaction_seconds <= 86_400:
        raise ConfigurationError(
            f"{id}: idle_transaction is {in_words(idle_transaction_seconds)}; use a minute to a day."
        )


def _check_zones(id: str, cluster: WorkerCluster) -> None:
    if len(cluster.subnets) < 2:
        raise ConfigurationError(
            f"{id}: the cluster has one zone, and Aurora stands in two or more; give the WorkerCluster a second one."
        )

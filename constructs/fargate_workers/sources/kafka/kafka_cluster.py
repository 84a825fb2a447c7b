"""A Kafka cluster on MSK, or one that exists already: private, encrypted, and open by IAM alone."""

from collections.abc import Mapping
from functools import cache

import jsii
from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_msk as msk
from constructs import Construct

from fargate_workers.cloudformation import KEY_WAY_OUT, check_place, unique_name
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import acknowledge
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.kafka.brokers import REPLICAS, Brokers
from fargate_workers.sources.kafka.names import cluster_name_of
from fargate_workers.sources.source import TaskInNetwork
from fargate_workers.stores import TaskRules

# Where clients sign in by IAM, within the network: https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html
PORT = 9_098

# A topic that nobody made is a misspelt name. Two replicas of three take part in each write that is confirmed.
_PROPERTIES: Mapping[str, str] = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": str(REPLICAS),
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
}
# Express brokers fix the others, at the same values.
# https://docs.aws.amazon.com/msk/latest/developerguide/msk-configuration-express-read-only.html
_EXPRESS_PROPERTIES = {"auto.create.topics.enable": "false"}


@jsii.implements(ec2.IConnectable)
class KafkaCluster(Construct):
    """A Kafka cluster on MSK: in the workers' network, with TLS alone, and IAM as the only way to sign in.

        kafka = KafkaCluster(self, "Events", cluster=cluster, brokers=Brokers.express("m7g.large", count=3))
        orders = KafkaTopic(self, "Orders", kafka=kafka, partitions=12)

    It runs in KRaft mode, without ZooKeeper. Topics are made by name alone, never by a client's first record; each
    partition has three replicas, of which two take part in every confirmed write. Data is encrypted at rest. Brokers
    write their logs to CloudWatch, except those of a serverless cluster, which has none. Metrics are those that cost
    nothing, the groups' lag among them.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network and subnets the brokers stand.
        brokers: The kind, size and number of brokers. They have a price, so there is no default.
        encryption_key: A customer-managed key for the data at rest. Defaults to MSK's own.
        removal_policy: What happens to the cluster and all that it stands on when it leaves the stack. Defaults to
            RETAIN_ON_UPDATE_OR_DELETE: they are retained, except by a first deployment that fails; keep the cluster's
            network as well.

    Attributes:
        cluster_arn: The ARN of the MSK cluster.
        cluster_name: Its name, by which CloudWatch knows it.
        brokers: The brokers. None for a cluster made elsewhere.
        security_group: The brokers' security group.

    Raises:
        ConfigurationError: The brokers do not fit the zones of the network, or the key is of another region.
    """

    cluster_arn: str
    cluster_name: str
    brokers: Brokers | None
    security_group: ec2.ISecurityGroup

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        brokers: Brokers,
        encryption_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        brokers.check_zones(id, len(cluster.subnets))
        if encryption_key is not None:
            if brokers.kind == "serverless":
                raise ConfigurationError(
                    f"{id}: a serverless cluster takes no encryption_key; leave it out, or choose other brokers."
                )
            check_place(self, "encryption_key", encryption_key, way_out=KEY_WAY_OUT, any_account=True)
        self.brokers = brokers
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=cluster.vpc,
            description="Clients of the Kafka cluster that may connect to it",
            allow_all_outbound=False,
        )
        if brokers.kind == "serverless":
            self._make_serverless(cluster, removal_policy)
        else:
            self._make(cluster, brokers, encryption_key, removal_policy)
        self.cluster_name = cluster_name_of(self.cluster_arn)
        self._open(self.security_group)
        if removal_policy != RemovalPolicy.DESTROY:
            # CloudFormation cannot delete what the kept cluster still uses, and would give up on the whole stack.
            self.security_group.apply_removal_policy(removal_policy)

    @staticmethod
    def existing(scope: Construct, id: str, *, cluster_arn: str, security_group: ec2.ISecurityGroup) -> "KafkaCluster":
        """A cluster that exists already, with IAM as a way to sign in; it is used as it is.

            KafkaCluster.existing(self, "Events", cluster_arn=cluster_arn, security_group=brokers)

        Tasks are let into the security group at port 9098, where it can be changed from here.

        Args:
            scope: The construct that it belongs to.
            id: The id of the construct.
            cluster_arn: The ARN of the MSK cluster.
            security_group: The brokers' security group.

        Raises:
            ConfigurationError: The ARN is none of a cluster.
        """
        if not cluster_arn.startswith("${Token[") and ":cluster/" not in cluster_arn:
            raise ConfigurationError(
                f'{id}: cluster_arn is "{cluster_arn}"; give the ARN of the MSK cluster, '
                "arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID."
            )
        return ExistingCluster(scope, id, cluster_arn=cluster_arn, security_group=security_group)

    @property
    def connections(self) -> ec2.Connections:
        """The brokers' security group and port."""
        return self._connections

    def let_in(self, task: TaskInNetwork) -> None:
        """Open the network between a task and the brokers.

        Args:
            task: A `QueueWorker`, or something like it. Its cluster gets the endpoint by which it asks for the brokers.

        Raises:
            ConfigurationError: More tasks connect than AWS takes rules in one security group.
        """
        task.cluster.add_endpoint("kafka")
        self._rules.let_in(task.connections)
        acknowledge(
            task.permissions,
            {
                "AwsSolutions-IAM5[Resource::*]": "AWS narrows kafka:GetBootstrapBrokers, which returns the brokers' "
                "addresses, to no resource; who may connect and read is narrowed to cluster, topic and group."
            },
        )

    def _open(self, security_group: ec2.ISecurityGroup) -> None:
        self._connections = ec2.Connections(security_groups=[security_group], default_port=_port())
        self._rules = TaskRules(
            self.node.id, self._connections, protocol="Kafka", instead="drain it with fewer workers"
        )

    def _make(
        self, cluster: WorkerCluster, brokers: Brokers, encryption_key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> None:
        properties = _EXPRESS_PROPERTIES if brokers.kind == "express" else _PROPERTIES
        configuration = msk.CfnConfiguration(
            self,
            "Configuration",
            name=unique_name(self),
            description="Topics are made by name, and two replicas confirm each write.",
            server_properties="\n".join(f"{name}={value}" for name, value in properties.items()),
        )
        log_group = logs.LogGroup(
            self,
            "Logs",
            encryption_key=cluster.log_encryption_key,
            retention=cluster.log_retention,
            removal_policy=removal_policy,  # a cluster that is kept goes on to write into it
        )
        prefix = "express" if brokers.kind == "express" else "kafka"
        made = msk.CfnCluster(
            self,
            "Cluster",
            cluster_name=unique_name(self),
            kafka_version=brokers.version or "",
            number_of_broker_nodes=brokers.count or 0,
            broker_node_group_info=msk.CfnCluster.BrokerNodeGroupInfoProperty(
                instance_type=f"{prefix}.{brokers.size}",
                client_subnets=cluster.subnet_ids,
                security_groups=[self.security_group.security_group_id],
                storage_info=None
                if brokers.storage_gib is None
                else msk.CfnCluster.StorageInfoProperty(
                    ebs_storage_info=msk.CfnCluster.EBSStorageInfoProperty(volume_size=brokers.storage_gib)
                ),
            ),
            client_authentication=msk.CfnCluster.ClientAuthenticationProperty(
                sasl=msk.CfnCluster.SaslProperty(iam=msk.CfnCluster.IamProperty(enabled=True)),
                unauthenticated=msk.CfnCluster.UnauthenticatedProperty(enabled=False),
            ),
            encryption_info=msk.CfnCluster.EncryptionInfoProperty(
                encryption_in_transit=msk.CfnCluster.EncryptionInTransitProperty(client_broker="TLS", in_cluster=True),
                encryption_at_rest=None
                if encryption_key is None
                else msk.CfnCluster.EncryptionAtRestProperty(data_volume_kms_key_id=encryption_key.key_arn),
            ),
            configuration_info=msk.CfnCluster.ConfigurationInfoProperty(
                arn=configuration.attr_arn, revision=configuration.attr_latest_revision_revision
            ),
            enhanced_monitoring="DEFAULT",
            logging_info=msk.CfnCluster.LoggingInfoProperty(
                broker_logs=msk.CfnCluster.BrokerLogsProperty(
                    cloud_watch_logs=msk.CfnCluster.CloudWatchLogsProperty(
                        enabled=True, log_group=log_group.log_group_name
                    )
                )
            ),
        )
        made.apply_removal_policy(removal_policy)
        configuration.apply_removal_policy(removal_policy)
        self.cluster_arn = made.attr_arn

    def _make_serverless(self, cluster: WorkerCluster, removal_policy: RemovalPolicy) -> None:
        made = msk.CfnServerlessCluster(
            self,
            "Cluster",
            cluster_name=unique_name(self),
            client_authentication=msk.CfnServerlessCluster.ClientAuthenticationProperty(
                sasl=msk.CfnServerlessCluster.SaslProperty(iam=msk.CfnServerlessCluster.IamProperty(enabled=True))
            ),
            vpc_configs=[
                msk.CfnServerlessCluster.VpcConfigProperty(
                    subnet_ids=cluster.subnet_ids, security_groups=[self.security_group.security_group_id]
                )
            ],
        )
        made.apply_removal_policy(removal_policy)
        self.cluster_arn = made.attr_arn


class ExistingCluster(KafkaCluster):
    """A cluster made elsewhere."""

    def __init__(self, scope: Construct, id: str, *, cluster_arn: str, security_group: ec2.ISecurityGroup) -> None:
        Construct.__init__(self, scope, id)
        self.cluster_arn = cluster_arn
        self.cluster_name = cluster_name_of(cluster_arn)
        self.brokers = None
        self.security_group = security_group
        self._open(security_group)


@cache
def _port() -> ec2.Port:
    return ec2.Port.tcp(PORT)

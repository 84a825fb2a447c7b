"""What all workers of an environment share."""

from aws_cdk import Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import Alerts, StoppedTasks, WorkerCluster


class PlatformStack(Stack):
    """Alerts, network and cluster."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, "Platform", tags=dict(environment.tags))
        self.alerts = Alerts(
            self,
            "Alerts",
            emails=environment.alert_emails,
            mute=[mute.window for mute in environment.mutes],
            removal_policy=environment.removal_policy,
        )
        self.cluster = WorkerCluster(
            self,
            "Cluster",
            network=environment.network.mode,
            availability_zones=environment.network.availability_zones,
            nat_gateways=environment.network.nat_gateways,
            container_insights=environment.container_insights,
            reserve_concurrency=environment.reserve_concurrency,
            alerts=self.alerts,
            log_encryption_key=self.alerts.key,
            log_retention=environment.log_retention,
            removal_policy=environment.removal_policy,  # a kept cache stands in this network
        )
        StoppedTasks(self.cluster, "StoppedTasks", cluster=self.cluster)

"""Workers in a network that exists already, reported to a topic that exists already."""

from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers import Alerts, QueueWorker, WorkerCluster, worker_image


class Orders(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id="vpc-0a1b2c3d",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        )
        arn = f"arn:{self.partition}:sns:{self.region}:{self.account}:on-call"
        alerts = Alerts(self, "Alerts", topic=sns.Topic.from_topic_arn(self, "OnCall", arn))
        # Tasks run in the private subnets. Nothing is added to the network, so it must reach AWS by itself.
        cluster = WorkerCluster(self, "Cluster", network="nat", vpc=vpc, alerts=alerts)
        QueueWorker(self, "Orders", cluster=cluster, image=worker_image("worker_image"))


if __name__ == "__main__":
    app = App()
    Orders(app, "Orders")
    app.synth()

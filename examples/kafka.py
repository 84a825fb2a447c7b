"""Two workers that each receive every order of a Kafka topic, in order by customer."""

from aws_cdk import App, Duration, Stack
from constructs import Construct

from fargate_workers import Brokers, KafkaCluster, KafkaTopic, QueueWorker, Scaling, WorkerCluster, worker_image


class OrderEvents(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        zones = [f"eu-west-1{zone}" for zone in "abc"]  # Express brokers stand in three
        cluster = WorkerCluster(self, "Cluster", network="nat", availability_zones=zones)
        kafka = KafkaCluster(self, "Events", cluster=cluster, brokers=Brokers.express("m7g.large", count=3))
        orders = KafkaTopic(self, "Orders", kafka=kafka, partitions=12, retention=Duration.days(7))
        image = worker_image("worker_image")
        QueueWorker(
            self,
            "Apply",
            cluster=cluster,
            image=image,
            source=orders,  # by a group that is called "apply"
            scaling=Scaling.for_latency(acceptable_latency=Duration.minutes(5), max_tasks=12),
        )
        QueueWorker(
            self,
            "Notify",
            cluster=cluster,
            image=image,
            source=orders.for_group("notify-customers", start="latest", retry_topic=True),
        )


if __name__ == "__main__":
    app = App()
    OrderEvents(app, "OrderEvents")
    app.synth()

"""One topic, two workers: each has its own queue and receives the events it filters for."""

from aws_cdk import App, Stack
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers import QueueWorker, WorkerCluster, worker_image


class Shop(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        image = worker_image("worker_image")
        arn = f"arn:{self.partition}:sns:{self.region}:{self.account}:shop-events"
        events = sns.Topic.from_topic_arn(self, "Events", arn)

        shipping = QueueWorker(self, "Shipping", cluster=cluster, image=image)
        shipping.subscribe(events, filter_policy={"kind": ["order_paid"]})

        billing = QueueWorker(self, "Billing", cluster=cluster, image=image)
        billing.subscribe(events, filter_policy={"kind": ["order_paid", "order_refunded"]})


if __name__ == "__main__":
    app = App()
    Shop(app, "Shop")
    app.synth()

"""A Redis stream that two workers read, each every entry, with a day to come back after a fault."""

from aws_cdk import App, Duration, Stack
from constructs import Construct

from fargate_workers import QueueWorker, RedisCache, RedisStream, WorkerCluster, worker_image


class Clicks(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        # Messages are no cache: one that evicts is refused.
        cache = RedisCache(self, "Broker", cluster=cluster, eviction="noeviction", node_type="cache.m7g.large")
        clicks = RedisStream(self, "Clicks", cache=cache, max_length=1_000_000, retain=Duration.days(1))
        image = worker_image("worker_image")
        QueueWorker(self, "Count", cluster=cluster, image=image, source=clicks)
        QueueWorker(self, "Profile", cluster=cluster, image=image, source=clicks.for_group("profiles"))


if __name__ == "__main__":
    app = App()
    Clicks(app, "Clicks")
    app.synth()

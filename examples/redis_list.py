"""A Redis list that producers LPUSH to already, drained without losing what a task had when it died."""

from aws_cdk import App, Duration, Stack
from constructs import Construct

from fargate_workers import QueueWorker, RedisCache, RedisList, WorkerCluster, worker_image


class Jobs(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        cache = RedisCache(self, "Broker", cluster=cluster, eviction="noeviction")
        QueueWorker(
            self,
            "Work",
            cluster=cluster,
            image=worker_image("worker_image"),
            source=RedisList(self, "Jobs", cache=cache, lease=Duration.minutes(1)),
        )


if __name__ == "__main__":
    app = App()
    Jobs(app, "Jobs")
    app.synth()

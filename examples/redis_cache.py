"""A rate limit and claims in Redis: all tasks together begin at most 50 handlers a second."""

from aws_cdk import App, Stack
from constructs import Construct

from fargate_workers import QueueWorker, RedisCache, WorkerCluster, worker_image


class Enrichment(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        # "locks" refuses writes when memory is full, where "cache" evicts keys: a claim must not vanish.
        claims = RedisCache(self, "Claims", cluster=cluster, eviction="noeviction")
        QueueWorker(
            self,
            "Enrich",
            cluster=cluster,
            image=worker_image("worker_image"),
            claims=claims,
            max_downstream_rate=50,
        )


if __name__ == "__main__":
    app = App()
    Enrichment(app, "Enrichment")
    app.synth()

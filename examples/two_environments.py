"""One stack, deployed twice: what differs between the environments is a value with a name."""

from dataclasses import dataclass

from aws_cdk import App, Stack, Stage
from constructs import Construct

from fargate_workers import QueueWorker, Scaling, WorkerCluster, worker_image


@dataclass(frozen=True)
class Size:
    min_tasks: int
    max_tasks: int
    zones: int


class Orders(Stack):
    def __init__(self, scope: Construct, id: str, *, size: Size) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat", nat_gateways=size.zones)
        scaling = Scaling.for_latency(min_tasks=size.min_tasks, max_tasks=size.max_tasks)
        QueueWorker(self, "Worker", cluster=cluster, image=worker_image("worker_image"), scaling=scaling)


def build(app: App) -> None:
    Orders(Stage(app, "Dev"), "Orders", size=Size(min_tasks=0, max_tasks=2, zones=1))
    Orders(Stage(app, "Prod"), "Orders", size=Size(min_tasks=2, max_tasks=40, zones=2))


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()

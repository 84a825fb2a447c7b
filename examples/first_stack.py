"""A queue, the worker that drains it, and alarms that reach a person."""

from aws_cdk import App, Stack
from constructs import Construct

from fargate_workers import Alerts, QueueWorker, WorkerCluster, worker_image


class FirstStack(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        alerts = Alerts(self, "Alerts", emails=["on-call@example.com"])
        cluster = WorkerCluster(self, "Cluster", network="nat", alerts=alerts)
        QueueWorker(self, "Orders", cluster=cluster, image=worker_image("worker_image"))


if __name__ == "__main__":
    app = App()
    FirstStack(app, "FirstStack")
    app.synth()

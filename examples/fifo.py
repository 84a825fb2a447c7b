"""A FIFO queue: the messages of one customer stay in order, different customers run side by side."""

from aws_cdk import App, Stack
from constructs import Construct

from fargate_workers import DeduplicationTable, QueueWorker, WorkerCluster, worker_image


class Ledger(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        QueueWorker(
            self,
            "Bookings",
            cluster=cluster,
            image=worker_image("worker_image"),
            fifo=True,  # the producer sends the customer's id as the MessageGroupId
            claims=DeduplicationTable(self, "Claims"),
            concurrency=50,  # up to 50 customers at once in each task
        )


if __name__ == "__main__":
    app = App()
    Ledger(app, "Ledger")
    app.synth()

"""Each payment once: a claim per business id, however often SQS or the producer repeats the message."""

from aws_cdk import App, Duration, Stack
from constructs import Construct

from fargate_workers import DeduplicationTable, QueueWorker, WorkerCluster, WorkerQueue, worker_image


class Payments(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        QueueWorker(
            self,
            "Payments",
            cluster=WorkerCluster(self, "Cluster", network="nat"),
            image=worker_image("worker_image"),
            # A claim is a lease of this length: the longest time until a crashed task's message is taken over.
            source=WorkerQueue(self, "PaymentsQueue", visibility_timeout=Duration.minutes(1)),
            claims=DeduplicationTable(self, "Claims"),
            max_processing=Duration.minutes(5),
        )


if __name__ == "__main__":
    app = App()
    Payments(app, "Payments")
    app.synth()

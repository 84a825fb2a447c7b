"""A worker for a queue that exists already, with the messages that are in it."""

from aws_cdk import App, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from fargate_workers import QueueWorker, WorkerCluster, WorkerQueue, worker_image


class Invoices(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        arn = f"arn:{self.partition}:sqs:{self.region}:{self.account}"
        invoices = WorkerQueue(
            self,
            "InvoicesQueue",
            queue=sqs.Queue.from_queue_arn(self, "Existing", f"{arn}:invoices"),
            dead_letter_queue=sqs.Queue.from_queue_arn(self, "ExistingDeadLetters", f"{arn}:invoices-dead"),
        )
        QueueWorker(
            self,
            "Invoices",
            cluster=WorkerCluster(self, "Cluster", network="nat"),
            image=worker_image("worker_image"),
            source=invoices,
        )


if __name__ == "__main__":
    app = App()
    Invoices(app, "Invoices")
    app.synth()

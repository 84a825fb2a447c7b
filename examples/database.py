"""A message and its effect in one SQL transaction: in a new Aurora database, and in one that exists already."""

from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from fargate_workers import Database, QueueWorker, WorkerCluster, worker_image


class Payments(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        cluster = WorkerCluster(self, "Cluster", network="nat")
        image = worker_image("worker_image")
        # Workers sign in with IAM. Two instances of 0.5 to 4 ACU: 88 to 701 dollars a month.
        payments = Database(self, "Payments", cluster=cluster)
        QueueWorker(self, "RecordPayments", cluster=cluster, image=image, claims=payments)

        secret = secretsmanager.Secret.from_secret_name_v2(self, "Secret", "ledger/worker")
        ledger = Database.existing(
            self,
            "Ledger",
            host="ledger.example.internal",
            name="ledger",
            user="worker",
            security_group=ec2.SecurityGroup.from_security_group_id(self, "LedgerGroup", "sg-0a1b2c3d"),
            password=ecs.Secret.from_secrets_manager(secret, "password"),
        )
        QueueWorker(self, "Book", cluster=cluster, image=image, claims=ledger)


if __name__ == "__main__":
    app = App()
    Payments(app, "Payments")
    app.synth()

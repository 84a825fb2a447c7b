"""Payments in PostgreSQL: a message and its effect in one transaction."""

from pathlib import Path

from aws_cdk import Duration, Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import Database, DeadLetterRedrive, QueueWorker, Scaling, WorkerQueue, worker_image
from stacks.platform_stack import PlatformStack

WORKER_IMAGE = Path(__file__).parents[1] / "worker_image"


class DatabaseStack(Stack):
    """An Aurora PostgreSQL, a queue of payments, and the worker that records each of them once.

    It stands apart from the other stacks, because it costs money when nothing happens: 0.5 ACU are 44 dollars a month
    in us-east-1, and twice that with a standby. The tables are made once, by the owner of the database, before the
    worker's first message: `fargate-workers database schema`, and `worker_image/order_pipeline/payments.sql`.

    Args:
        scope: The stage of the environment.
        environment: The environment.
        platform: What all workers of the environment share.
        max_acu: The largest capacity of the database, in Aurora capacity units. Defaults to 4.

    Attributes:
        payments: The database.
        payments_queue: The queue.
        record_payments: The worker.
    """

    def __init__(
        self, scope: Construct, *, environment: Environment, platform: PlatformStack, max_acu: float = 4
    ) -> None:
        super().__init__(scope, "Database", tags=dict(environment.tags))
        self.payments = Database(
            self,
            "Payments",
            cluster=platform.cluster,
            name="payments",
            max_acu=max_acu,
            multi_az=environment.cache.multi_az,
            backup_retention=Duration.days(environment.cache.snapshot_retention_days or 1),
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
        )
        self.payments_queue = WorkerQueue(
            self,
            "PaymentsQueue",
            visibility_timeout=Duration.seconds(30),
            removal_policy=environment.removal_policy,
        )
        self.record_payments = QueueWorker(
            self,
            "RecordPayments",
            cluster=platform.cluster,
            image=worker_image(WORKER_IMAGE, architecture=environment.architecture),
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.record_payments"],
            source=self.payments_queue,
            claims=self.payments,
            pacing=environment.pacing,
            scaling=Scaling.for_latency(min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )
        self.redrive = DeadLetterRedrive(
            self, "DeadLetterRedrive", cluster=platform.cluster, workers=[self.record_payments]
        )

"""What does the work, and every arrow between workers and data."""

from pathlib import Path

from aws_cdk import Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import (
    Dashboard,
    DeadLetterRedrive,
    ObjectCreatedTask,
    QueueWorker,
    Scaling,
    ScheduledTask,
    worker_image,
)
from stacks.data_stack import DataStack
from stacks.platform_stack import PlatformStack

WORKER_IMAGE = Path(__file__).parents[1] / "worker_image"


class WorkersStack(Stack):
    """Two queue workers, an hourly report, bulk imports, the replay of dead letters and a dashboard."""

    def __init__(self, scope: Construct, *, environment: Environment, platform: PlatformStack, data: DataStack) -> None:
        super().__init__(scope, "Workers", tags=dict(environment.tags))
        image = worker_image(WORKER_IMAGE, architecture=environment.architecture)
        cluster = platform.cluster

        self.import_orders = QueueWorker(
            self,
            "ImportOrders",
            cluster=cluster,
            image=image,
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.import_files"],
            source=data.import_queue,
            environment={"ORDERS_QUEUE_URL": data.orders_queue.queue_url},
            claims=data.claims,
            pacing=environment.pacing,
            scaling=Scaling.on_backlog_per_task(10, min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )
        self.import_orders.on_object_created(data.files.bucket, prefix="incoming/", suffix=".csv")

        self.apply_orders = QueueWorker(
            self,
            "ApplyOrders",
            cluster=cluster,
            image=image,
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.apply_orders"],
            source=data.orders_queue,
            environment={"ORDERS_TABLE_NAME": data.orders.table_name},
            claims=data.claims,
            cache=data.cache,
            pacing=environment.pacing,
            max_message_bytes=256 * 1024,  # an order is never longer
            scaling=Scaling.for_latency(min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )

        # `make worker` adds the next one above this line.
        queue_workers = [
            self.import_orders,
            self.apply_orders,
            # `make worker` adds the next one above this line.
        ]

        self.import_bulk = ObjectCreatedTask(
            self,
            "ImportBulk",
            cluster=cluster,
            image=image,
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.import_bulk"],
            bucket=data.files.bucket,
            prefix="bulk/",
            suffix=".csv",
            environment={"ORDERS_QUEUE_URL": data.orders_queue.queue_url},
            claims=data.claims,
        )

        self.hourly_report = ScheduledTask(
            self,
            "HourlyReport",
            cluster=cluster,
            image=image,
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.report"],
            schedule="rate(1 hour)",
            claims=data.claims,
            environment={"FILES_BUCKET": data.files.bucket_name},
        )
        self._draw_arrows(data)

        self.redrive = DeadLetterRedrive(self, "DeadLetterRedrive", cluster=cluster, workers=queue_workers)
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            workers=queue_workers,
            tasks=[self.import_bulk, self.hourly_report],
            cache=data.cache,
            redrives=[self.redrive],
        )

    def _draw_arrows(self, data: DataStack) -> None:
        """Grant each task exactly what it does with orders and files."""
        self.apply_orders.allow(["dynamodb:PutItem"], [data.orders.table_arn])

        for producer in (self.import_orders, self.import_bulk):
            producer.allow(["sqs:SendMessage"], [data.orders_queue.queue_arn])

        files = data.files
        self.import_orders.task.task_role.add_managed_policy(files.policy("ImportOrdersReads", read=["incoming/"]))
        self.hourly_report.task.task_role.add_managed_policy(
            files.policy("HourlyReportAccess", read=["incoming/", "bulk/"], write=["reports/"])
        )

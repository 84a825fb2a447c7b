"""A function in the place of a worker: a receipt for each order, where orders are few."""

from pathlib import Path

from aws_cdk import Duration, Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import QueueFunction, WorkerQueue, worker_image
from stacks.platform_stack import PlatformStack
from stacks.receipts import Receipts

# Seconds: of one order, and what the runtime needs of the function's time-out.
LONGEST_WRITE, ENDING = 3, 5

WORKER_IMAGE = Path(__file__).parents[1] / "worker_image"


class FunctionStack(Stack):
    """A queue of orders, the function that drains it, and the table of its receipts: apart from everything else."""

    def __init__(self, scope: Construct, *, environment: Environment, platform: PlatformStack) -> None:
        super().__init__(scope, "Function", tags=dict(environment.tags))
        timeout = environment.queue_systems.function_timeout_seconds
        self.receipts = Receipts(self, "Receipts", environment=environment)
        self.orders = WorkerQueue(
            self,
            "Orders",
            visibility_timeout=Duration.seconds(6 * timeout),  # as Lambda needs it
            removal_policy=environment.removal_policy,
        )
        self.write_receipts = QueueFunction(
            self,
            "WriteReceipts",
            # In a public subnet a function has no address, and so no way out.
            cluster=None if platform.cluster.network == "public" else platform.cluster,
            alerts=platform.cluster.alerts,
            image=worker_image(WORKER_IMAGE, architecture=environment.architecture),
            command="order_pipeline.order_receipts",
            source=self.orders,
            max_processing=Duration.seconds(min(LONGEST_WRITE, timeout - ENDING)),
            timeout=Duration.seconds(timeout),
            claims=self.receipts.claims,
            environment={"RECEIPTS_TABLE_NAME": self.receipts.table.table_name},
        )
        self.write_receipts.allow(["dynamodb:PutItem"], [self.receipts.table.table_arn])

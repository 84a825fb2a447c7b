"""The same orders through a Redis list: a cache, a list, and the worker that drains it."""

from pathlib import Path

from aws_cdk import Duration, Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import QueueWorker, RedisList, Scaling, worker_image
from stacks.broker_cache import broker_cache
from stacks.platform_stack import PlatformStack
from stacks.receipts import Receipts

WORKER_IMAGE = Path(__file__).parents[1] / "worker_image"


class RedisListStack(Stack):
    """A cache that evicts nothing, a list of orders in it, and one worker."""

    def __init__(self, scope: Construct, *, environment: Environment, platform: PlatformStack) -> None:
        super().__init__(scope, "RedisList", tags=dict(environment.tags))
        self.cache = broker_cache(self, environment=environment, platform=platform)
        self.orders = RedisList(self, "Orders", cache=self.cache, lease=Duration.seconds(30))
        self.receipts = Receipts(self, "Receipts", environment=environment)
        self.write_receipts = QueueWorker(
            self,
            "WriteReceiptsFromList",
            cluster=platform.cluster,
            image=worker_image(WORKER_IMAGE, architecture=environment.architecture),
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.order_receipts"],
            source=self.orders,
            environment={"RECEIPTS_TABLE_NAME": self.receipts.table.table_name},
            claims=self.receipts.claims,
            scaling=Scaling.for_latency(min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )
        self.write_receipts.allow(["dynamodb:PutItem"], [self.receipts.table.table_arn])

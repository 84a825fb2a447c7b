"""The same orders through Kafka: a cluster, a topic, and the worker that drains it with the handler of the queue."""

from pathlib import Path

from aws_cdk import Duration, Stack
from constructs import Construct

from environments.environment import Environment
from fargate_workers import Brokers, KafkaCluster, KafkaTopic, QueueWorker, Scaling, worker_image
from stacks.platform_stack import PlatformStack
from stacks.receipts import Receipts

WORKER_IMAGE = Path(__file__).parents[1] / "worker_image"
# Spreads evenly over 1, 2, 3, 4, 6 or 12 tasks; as many times as it takes for the most of them.
PARTITIONS = 12


class KafkaStack(Stack):
    """A Kafka cluster that is kept, its topic of orders, and one worker."""

    def __init__(self, scope: Construct, *, environment: Environment, platform: PlatformStack) -> None:
        super().__init__(scope, "Kafka", tags=dict(environment.tags))
        zones = len(environment.network.availability_zones)
        self.kafka = KafkaCluster(
            self,
            "Events",
            cluster=platform.cluster,
            # Three replicas take three brokers, and each zone as many as the others.
            brokers=Brokers.standard("m7g.large", count=3 if zones == 3 else 4),
            removal_policy=environment.removal_policy,
        )
        self.orders = KafkaTopic(
            self,
            "Orders",
            kafka=self.kafka,
            partitions=PARTITIONS * -(-environment.max_tasks // PARTITIONS),
            removal_policy=environment.removal_policy,
        )
        self.receipts = Receipts(self, "Receipts", environment=environment)
        self.write_receipts = QueueWorker(
            self,
            "WriteReceiptsFromKafka",
            cluster=platform.cluster,
            image=worker_image(WORKER_IMAGE, architecture=environment.architecture),
            architecture=environment.architecture,
            command=["python", "-m", "order_pipeline.order_receipts"],
            # A claim of a task that was killed holds up its key until it lapses.
            source=self.orders.for_group("write-receipts", lease=Duration.seconds(30)),
            environment={"RECEIPTS_TABLE_NAME": self.receipts.table.table_name},
            claims=self.receipts.claims,
            scaling=Scaling.for_latency(min_tasks=environment.min_tasks, max_tasks=environment.max_tasks),
            spot_from=environment.spot_from,
        )
        self.write_receipts.allow(["dynamodb:PutItem"], [self.receipts.table.table_arn])

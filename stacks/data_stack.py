"""Everything of an environment that holds data."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from environments.environment import Environment
from fargate_workers import DeduplicationTable, RedisCache, WorkerQueue
from stacks.order_files import OrderFiles
from stacks.platform_stack import PlatformStack


class DataStack(Stack):
    """Files, tables, cache and queues: kept when the stack goes, unless the environment allows it twice."""

    def __init__(self, scope: Construct, *, environment: Environment, platform: PlatformStack) -> None:
        super().__init__(scope, "Data", tags=dict(environment.tags))
        removal = environment.removal_policy
        self.files = OrderFiles(self, "OrderFiles", environment=environment)
        self.orders = dynamodb.TableV2(
            self,
            "Orders",
            partition_key=dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=environment.deletion_protection,
            removal_policy=removal,
        )
        self.claims = DeduplicationTable(
            self, "Claims", deletion_protection=environment.deletion_protection, removal_policy=removal
        )
        self.cache = RedisCache(
            self,
            "ReadModel",
            eviction="noeviction",  # totals must stay
            cluster=platform.cluster,
            node_type=environment.cache.node_type,
            multi_az=environment.cache.multi_az,
            snapshot_retention=Duration.days(environment.cache.snapshot_retention_days),
            removal_policy=removal,
        )
        self.import_queue = WorkerQueue(self, "ImportQueue", removal_policy=removal)
        # An order takes milliseconds, so half a minute is long; it is how soon a killed task's orders come back.
        self.orders_queue = WorkerQueue(
            self, "OrdersQueue", visibility_timeout=Duration.seconds(30), removal_policy=removal
        )
        # `make worker` adds the next one above this line.

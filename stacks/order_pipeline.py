"""The order pipeline, once per environment: stateful stacks apart from stateless ones."""

from aws_cdk import Environment as CdkEnvironment
from aws_cdk import Stage
from constructs import Construct

from environments.environment import Environment
from fargate_workers import set_availability_zones
from stacks.data_stack import DataStack
from stacks.database_stack import DatabaseStack
from stacks.function_stack import FunctionStack
from stacks.kafka_stack import KafkaStack
from stacks.platform_stack import PlatformStack
from stacks.redis_list_stack import RedisListStack
from stacks.redis_stream_stack import RedisStreamStack
from stacks.workers_stack import WorkersStack


class OrderPipeline(Stage):
    """Everything of one environment: platform (shared), data (stateful) and workers (stateless).

    CSV files of orders arrive in a bucket; every row becomes a message; a worker applies each order exactly once;
    an hourly task reports; alerts are sent when something fails.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(
            scope, environment.name, env=CdkEnvironment(account=environment.account, region=environment.region)
        )
        set_availability_zones(
            self, environment.network.availability_zones, account=environment.account, region=environment.region
        )
        self.platform = PlatformStack(self, environment=environment)
        self.data = DataStack(self, environment=environment, platform=self.platform)
        self.workers = WorkersStack(self, environment=environment, platform=self.platform, data=self.data)
        self._add_queue_systems(environment)

    def _add_queue_systems(self, environment: Environment) -> None:
        """Each in a stack of its own, as far as the environment's file asks for it."""
        systems, platform = environment.queue_systems, self.platform
        if systems.database:
            DatabaseStack(self, environment=environment, platform=platform)
        if systems.function:
            FunctionStack(self, environment=environment, platform=platform)
        if systems.kafka:
            KafkaStack(self, environment=environment, platform=platform)
        if systems.redis_stream:
            RedisStreamStack(self, environment=environment, platform=platform)
        if systems.redis_list:
            RedisListStack(self, environment=environment, platform=platform)

"""The order pipeline, once per environment: stateful stacks apart from stateless ones."""

from aws_cdk import Environment as CdkEnvironment
from aws_cdk import Stage
from constructs import Construct

from fargate_workers import set_availability_zones
from stacks.data_stack import DataStack
from stacks.environment import Environment
from stacks.platform_stack import PlatformStack
from stacks.workers_stack import WorkersStack


class OrderPipeline(Stage):
    """Everything of one environment: platform (shared), data (stateful) and workers (stateless).

    CSV files of orders arrive in a bucket; every row becomes a message; a worker applies each order exactly once;
    an hourly task reports; alerts tell of trouble.
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

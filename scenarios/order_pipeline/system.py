"""The deployed order pipeline: which resource is which."""

from functools import cached_property

from fargate_workers_toolkit.local import RunningSystem

IMPORT_QUEUE = "local/Data/ImportQueue/Queue"
ORDERS_QUEUE = "local/Data/OrdersQueue/Queue"
ORDERS_DEAD_LETTER_QUEUE = "local/Data/OrdersQueue/DeadLetterQueue"
ALERTS = "local/Platform/Alerts"
APPLY_ORDERS = "local/Workers/ApplyOrders"
HOURLY_REPORT = "local/Workers/HourlyReport"

_READ_MODEL = "local/Data/ReadModel"


class OrderPipeline:
    """Names of the sample's resources in the local environment.

    Args:
        running: The deployed app.
    """

    def __init__(self, running: RunningSystem) -> None:
        self.running = running

    @cached_property
    def orders_dead_letter_queue_url(self) -> str:
        """The address of the orders' dead-letter queue."""
        return self.running.physical_id(ORDERS_DEAD_LETTER_QUEUE, type="AWS::SQS::Queue")

    @cached_property
    def bucket(self) -> str:
        """The name of the bucket of order files."""
        return self.running.physical_id("local/Data/OrderFiles", type="AWS::S3::Bucket")

    @cached_property
    def orders_table(self) -> str:
        """The name of the table of orders."""
        return self.running.physical_id("local/Data/Orders", type="AWS::DynamoDB::GlobalTable")

    @cached_property
    def redrive_function(self) -> str:
        """The name of the function that replays dead letters."""
        return self.running.physical_id("local/Workers/DeadLetterRedrive", type="AWS::Lambda::Function")

    @cached_property
    def planner_function(self) -> str:
        """The name of the function that plans the scaling."""
        return self.running.physical_id("local/Workers/ClusterScalingPlanner", type="AWS::Lambda::Function")

    @cached_property
    def dead_letters_alarm(self) -> str:
        """The name of the alarm about the orders' dead letters."""
        return self.running.physical_id(f"{APPLY_ORDERS}/DeadLetters", type="AWS::CloudWatch::Alarm")

    @cached_property
    def cache(self) -> tuple[str, int, str]:
        """Address, port and user of the read model."""
        group = self.running.physical_id(_READ_MODEL, type="AWS::ElastiCache::ReplicationGroup")
        groups = self.running.client("elasticache").describe_replication_groups(ReplicationGroupId=group)
        endpoint = groups["ReplicationGroups"][0]["NodeGroups"][0]["PrimaryEndpoint"]
        user = self.running.physical_id(_READ_MODEL, type="AWS::ElastiCache::User")
        return endpoint["Address"], endpoint["Port"], user

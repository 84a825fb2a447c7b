"""The deployed order pipeline: which resource is which."""

from functools import cached_property

from fargate_workers_toolkit.local.deployed import Deployed

QUEUE = "AWS::SQS::Queue"


class OrderPipeline(Deployed):
    """Physical names of the sample's resources in the local environment, and clients for its AWS."""

    @cached_property
    def import_queue_url(self) -> str:
        return self.physical_id("Data/ImportQueue/Queue", type=QUEUE)

    @cached_property
    def orders_queue_url(self) -> str:
        return self.physical_id("Data/OrdersQueue/Queue", type=QUEUE)

    @cached_property
    def orders_dead_letter_queue_url(self) -> str:
        return self.physical_id("Data/OrdersQueue/DeadLetterQueue", type=QUEUE)

    @cached_property
    def bucket(self) -> str:
        return self.physical_id("Data/OrderFiles", type="AWS::S3::Bucket")

    @cached_property
    def orders_table(self) -> str:
        return self.physical_id("Data/Orders", type="AWS::DynamoDB::GlobalTable")

    @cached_property
    def cluster(self) -> str:
        return self.physical_id("Platform/Cluster", type="AWS::ECS::Cluster")

    @cached_property
    def alerts_topic_arn(self) -> str:
        return self.physical_id("Platform/Alerts", type="AWS::SNS::Topic")

    @cached_property
    def apply_orders_service(self) -> str:
        return self.physical_id("Workers/ApplyOrders", type="AWS::ECS::Service").rsplit("/", 1)[-1]

    @cached_property
    def redrive_function(self) -> str:
        return self.physical_id("Workers/DeadLetterRedrive", type="AWS::Lambda::Function")

    @cached_property
    def planner_function(self) -> str:
        return self.physical_id("Workers/ClusterScalingPlanner", type="AWS::Lambda::Function")

    @cached_property
    def schedule(self) -> str:
        return self.physical_id("Workers/HourlyReport", type="AWS::Scheduler::Schedule")

    @cached_property
    def dead_letters_alarm(self) -> str:
        return self.physical_id("Workers/ApplyOrders/DeadLetters", type="AWS::CloudWatch::Alarm")

    @cached_property
    def cache(self) -> tuple[str, int, str]:
        """Address, port and user of the read model."""
        group = self.physical_id("Data/ReadModel", type="AWS::ElastiCache::ReplicationGroup")
        groups = self.client("elasticache").describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
        endpoint = groups[0]["NodeGroups"][0]["PrimaryEndpoint"]
        return endpoint["Address"], endpoint["Port"], self.physical_id("Data/ReadModel", type="AWS::ElastiCache::User")

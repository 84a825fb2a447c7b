"""What the workers of the further queue systems write: one receipt per order, in a table of each system's own."""

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from environments.environment import Environment
from fargate_workers import DeduplicationTable


class Receipts(Construct):
    """A table of receipts, and the claims by which no order has a second one.

    Args:
        scope: The stack of the system.
        id: The id of the construct.
        environment: The environment.

    Attributes:
        table: The table.
        claims: The claims.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
        )
        self.claims = DeduplicationTable(
            self,
            "Claims",
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
        )

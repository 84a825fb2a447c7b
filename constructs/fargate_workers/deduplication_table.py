"""The table that lets a worker claim a message before it works on it."""

from functools import cached_property

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from fargate_workers._access import Access, AccessibleTask
from fargate_workers._service_role import allow


class DeduplicationTable(Construct):
    """A DynamoDB table of claims, so that a message delivered twice is worked on once.

    SQS delivers a message at least once. Before its work a worker writes a *claim*: the message's business id, an
    owner token of its own, and a lease as long as the message's visibility timeout, renewed together with it.
    Afterwards it marks the claim as done. Whoever finds a claim that is done skips the message; whoever finds a live
    lease waits. When a worker crashes, its lease lapses just as its message becomes visible again, and the next
    worker takes over. That is why a claim is a lease and not a mark made first (which loses work after a crash),
    and why its key is the business id (a redriven message comes back with a new MessageId).

    Makes one table: partition key `pk` (string), on-demand, expiry at the epoch second in `ex`, point-in-time
    recovery, deletion protection, retained.

        claims = DeduplicationTable(self, "Claims")
        QueueWorker(self, "Orders", cluster=cluster, image=image, claims=claims)

    encryption_key: A customer key. Default: DynamoDB's own, which costs nothing.
    deletion_protection: Refuse to delete the table until this is switched off. Default: True.
    removal_policy: What becomes of the table when its stack goes. Default: RETAIN; without claims, messages that are
        delivered again are worked on again.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        encryption_key: kms.IKey | None = None,
        deletion_protection: bool = True,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        self.encryption_key = encryption_key
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="ex",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=(
                None if encryption_key is None else dynamodb.TableEncryptionV2.customer_managed_key(encryption_key)
            ),
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
        )

    @cached_property
    def table_name(self) -> str:
        return self.table.table_name

    @cached_property
    def table_arn(self) -> str:
        return self.table.table_arn

    @cached_property
    def access(self) -> Access:
        """Read, write, renew and give back claims, singly or within a transaction; sets CLAIMS_TABLE_NAME.

        What else a transaction writes (`message.transact`) takes rights of its own, on the tables it writes to.
        """
        # TransactWriteItems has no action of its own: the completion in it is an UpdateItem. No ConditionCheckItem,
        # because a transaction touches an item once and the completion is conditional itself.
        actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        statements = [allow(actions, self.table_arn)]
        if self.encryption_key is not None:
            # DynamoDB uses the key in the name of whoever calls it.
            key_actions = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
            statements.append(allow(key_actions, self.encryption_key.key_arn))
        return Access(statements, {"CLAIMS_TABLE_NAME": self.table_name})

    def grant_claim(self, task: AccessibleTask) -> None:
        """Let a task that was made without `claims=` claim, too."""
        self.access.give_to(task)

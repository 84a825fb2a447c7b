"""The table that lets a worker claim a message before it works on it."""

from functools import cached_property

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from fargate_workers.access import Access, AccessibleTask
from fargate_workers.cloudformation import KEY_WAY_OUT, allow, check_place


class DeduplicationTable(Construct):
    """A DynamoDB table of claims, so that a message delivered twice is worked on once.

    SQS delivers a message at least once. Before its work a worker writes a *claim*: the message's business id, an
    owner token of its own, and a lease as long as the message's visibility timeout, renewed together with it.
    Afterwards it marks the claim as done. A worker that finds a claim that is done skips the message; one that finds a
    live lease waits. When a worker crashes, its lease lapses just as its message becomes visible again, and the next
    worker takes over. That is why a claim is a lease and not a mark made first (which loses work after a crash), and
    why its key is the business id (a redriven message comes back with a new MessageId).

    Makes one table: partition key `pk` (string), on-demand, expiry at the epoch second in `ex`, point-in-time
    recovery, retained.

        claims = DeduplicationTable(self, "Claims")
        QueueWorker(self, "Orders", cluster=cluster, image=image, claims=claims)

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        encryption_key: A customer-managed key. Defaults to DynamoDB's own, which costs nothing.
        deletion_protection: Whether DynamoDB refuses to delete the table. A first deployment that fails could not be
            undone with it, so switch it on after that. Defaults to False.
        removal_policy: What happens to the table when it leaves the stack; without claims, messages that are delivered
            again are worked on again. Defaults to RETAIN_ON_UPDATE_OR_DELETE: it is retained, except by a first
            deployment that fails.

    Attributes:
        table: The table.
        encryption_key: The customer-managed key, if there is one.

    Raises:
        ConfigurationError: The key is of another region.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        encryption_key: kms.IKey | None = None,
        deletion_protection: bool = False,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        if encryption_key is not None:
            check_place(self, "encryption_key", encryption_key, way_out=KEY_WAY_OUT, any_account=True)
        self.encryption_key: kms.IKey | None = encryption_key
        self.table: dynamodb.TableV2 = dynamodb.TableV2(
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
        """The name of the table."""
        return self.table.table_name

    @cached_property
    def table_arn(self) -> str:
        """The ARN of the table."""
        return self.table.table_arn

    @cached_property
    def access(self) -> Access:
        """The permission to read, write, renew and release claims, singly or within a transaction.

        It sets CLAIMS_TABLE_NAME. What else a transaction writes (`message.transact`) takes rights of its own, on the
        tables it writes to.
        """
        # TransactWriteItems has no action of its own: the completion in it is an UpdateItem. No ConditionCheckItem,
        # because a transaction touches an item once and the completion is conditional itself.
        actions = ["dynamodb:UpdateItem"]
        statements = [allow(actions, self.table_arn)]
        if self.encryption_key is not None:
            # DynamoDB uses the key in the name of its caller.
            key_actions = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
            statements.append(allow(key_actions, self.encryption_key.key_arn))
        return Access(statements, {"CLAIMS_TABLE_NAME": self.table_name})

    def grant_claim(self, task: AccessibleTask) -> None:
        """Let a task that was made without `claims=` claim, too.

        Args:
            task: A `QueueWorker`, another construct around a task, or something like it.
        """
        self.access.give_to(task)

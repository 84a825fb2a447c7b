"""The table that lets a worker claim a message before it works on it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct


class ClaimingTask(Protocol):
    """What is needed of whoever claims: a QueueWorker, a WorkerTask or something like them."""

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> object: ...

    def add_environment(self, name: str, value: str) -> object: ...


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
        claims.grant_claim(orders)

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

    def grant_claim(self, task: ClaimingTask) -> None:
        """Let `task` read, write, renew and give back claims, singly or within a transaction; set CLAIMS_TABLE_NAME."""
        # TransactWriteItems is authorised through these four; there is no action of that name.
        actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        task.allow(actions, [self.table_arn])
        if self.encryption_key is not None:
            # DynamoDB uses the key in the name of whoever calls it.
            task.allow(
                ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], [self.encryption_key.key_arn]
            )
        task.add_environment("CLAIMS_TABLE_NAME", self.table_name)

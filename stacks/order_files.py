"""The bucket that order files arrive in."""

from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from environments.environment import Environment
from fargate_workers import (
    COMPLIANCE_PACKS,
    acknowledge,
    acknowledge_cfn_lint,
    acknowledge_checkov,
    switch_on_event_bridge,
)


class OrderFiles(Construct):
    """A versioned, encrypted, TLS-only bucket that announces its objects on EventBridge.

    It logs access to, and replicates into, buckets which exist already, where the environment names them.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self.key = kms.Key(self, "Key", enable_key_rotation=True, removal_policy=environment.removal_policy)
        self.key_arn = self.key.key_arn
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            # The cast is for type checkers: IKey and Key name one parameter differently.
            encryption_key=cast("kms.IKey", self.key),
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            removal_policy=environment.removal_policy,
            # CloudFormation deletes no bucket that holds anything, and the report writes an object every hour.
            auto_delete_objects=environment.data_may_go,
        )
        self._removal_policy = environment.removal_policy
        if not environment.data_may_go:
            # A kept bucket without its policy would take plain HTTP.
            cast("s3.BucketPolicy", self.bucket.policy).apply_removal_policy(self._removal_policy)
        else:
            _acknowledge_emptying(self)
        self.bucket_name = self.bucket.bucket_name
        self.bucket_arn = self.bucket.bucket_arn
        switch_on_event_bridge(self.bucket)

        resource = cast("s3.CfnBucket", self.bucket.node.default_child)
        self._logical_id = Stack.of(self).get_logical_id(resource)
        if environment.access_log_bucket is None:
            self._go_without("S3BucketLoggingEnabled", "S1", setting="access_log_bucket")
        else:
            resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=environment.access_log_bucket,
                log_file_prefix=f"{environment.name}/order-files/",
            )
        if environment.replica_bucket_arn is None or environment.replica_key_arn is None:
            self._go_without("S3BucketReplicationEnabled", setting="replica_bucket_arn")
        else:
            self._replicate(resource, environment.replica_bucket_arn, environment.replica_key_arn)

    def policy(self, id: str, *, read: Sequence[str] = (), write: Sequence[str] = ()) -> iam.ManagedPolicy:
        """A policy to read and to write the objects under some prefixes.

        It lives here, with the bucket, and not with the worker that gets it: what may be done with data is read
        in one place. Listing is part of reading: without it a missing object looks like a forbidden one.
        """
        statements: list[dict[str, Any]] = []
        if read:
            statements += [
                _allow(["s3:GetObject", "s3:GetObjectVersion"], [self._objects(prefix) for prefix in read]),
                _allow(["s3:ListBucket"], [self.bucket_arn]),
            ]
        if write:
            statements.append(_allow(["s3:PutObject"], [self._objects(prefix) for prefix in write]))
        statements.append(_allow(["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])], [self.key_arn]))
        policy = iam.ManagedPolicy(self, id, document=_document(statements))
        acknowledge(
            policy,
            {
                f"AwsSolutions-IAM5[Resource::<{self._logical_id}.Arn>/{prefix}*]": "Objects have the names their "
                f"senders give them; the wildcard stands for those names, under {prefix or 'this one bucket'} alone."
                for prefix in (*read, *write)
            },
        )
        return policy

    def _go_without(self, rule: str, *solutions: str, setting: str) -> None:
        """Acknowledge what the environment chose to do without."""
        findings = [f"{pack}-{rule}" for pack in COMPLIANCE_PACKS]
        findings += [f"AwsSolutions-{solution}" for solution in solutions]
        reason = f"This environment's file names no {setting}: it has decided to do without."
        acknowledge(self.bucket, dict.fromkeys(findings, reason))

    def _objects(self, prefix: str) -> str:
        return f"{self.bucket_arn}/{prefix}*"

    def _replicate(self, resource: s3.CfnBucket, replica_bucket_arn: str, replica_key_arn: str) -> None:
        """Copy every object, encrypted with the replica's own key."""
        s3_service = cast("iam.IPrincipal", iam.ServicePrincipal("s3.amazonaws.com"))
        role = iam.Role(self, "ReplicationRole", assumed_by=s3_service)
        policy = iam.ManagedPolicy(
            self,
            "ReplicationPolicy",
            roles=[cast("iam.IRole", role)],
            document=_document(
                [
                    _allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], [self.bucket_arn]),
                    _allow(
                        [
                            "s3:GetObjectVersionForReplication",
                            "s3:GetObjectVersionAcl",
                            "s3:GetObjectVersionTagging",
                        ],
                        [self._objects("")],
                    ),
                    _allow(
                        ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], [f"{replica_bucket_arn}/*"]
                    ),
                    _allow(["kms:Decrypt"], [self.key_arn]),
                    _allow(["kms:Encrypt"], [replica_key_arn]),
                ]
            ),
        )
        for kept in (role, policy):  # with the bucket, which would stop copying in silence without them
            kept.apply_removal_policy(self._removal_policy)
        reason = "Replication copies every object there is; the wildcard stands for their names, in this one bucket."
        acknowledge(
            policy,
            {
                f"AwsSolutions-IAM5[Resource::<{self._logical_id}.Arn>/*]": reason,
                f"AwsSolutions-IAM5[Resource::{replica_bucket_arn}/*]": reason,
            },
        )
        resource.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=role.role_arn,
            rules=[
                s3.CfnBucket.ReplicationRuleProperty(
                    id="everything",
                    status="Enabled",
                    priority=0,
                    filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
                    delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Enabled"),
                    source_selection_criteria=s3.CfnBucket.SourceSelectionCriteriaProperty(
                        sse_kms_encrypted_objects=s3.CfnBucket.SseKmsEncryptedObjectsProperty(status="Enabled")
                    ),
                    destination=s3.CfnBucket.ReplicationDestinationProperty(
                        bucket=replica_bucket_arn,
                        encryption_configuration=s3.CfnBucket.EncryptionConfigurationProperty(
                            replica_kms_key_id=replica_key_arn
                        ),
                    ),
                )
            ],
        )


def _acknowledge_emptying(scope: Construct) -> None:
    """The function that empties the bucket before it goes is the CDK's own, and can be given no more than it has."""
    provider = Stack.of(scope).node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider")
    function = cast("CfnResource", provider.node.find_child("Handler"))
    reason = "It runs once, when its stack is deleted, and CloudFormation itself hears whether it succeeded."
    acknowledge_checkov(function, dict.fromkeys(("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117"), reason))
    acknowledge_cfn_lint(function, {"W3005": "The CDK says the dependency on the role twice, which harms nothing."})


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _document(statements: list[dict[str, Any]]) -> iam.PolicyDocument:
    return iam.PolicyDocument.from_json({"Version": "2012-10-17", "Statement": statements})

"""Events of S3 on EventBridge: the bucket's property, and the pattern of its objects."""

from typing import Any, cast

from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers.cloudformation.made_elsewhere import announce, check_place


def switch_on_event_bridge(bucket: s3.IBucket, *, rules_in: Construct | None = None) -> None:
    """Let a bucket send its events to EventBridge, by a property of the bucket itself.

    The CDK's own `event_bridge_enabled=True` would add a Lambda function, a role and a custom resource for this.
    A bucket made elsewhere cannot be changed from here; what its owner must switch on is printed at synthesis.

    Args:
        bucket: The bucket.
        rules_in: The construct with the rules that the events should reach. Defaults to the bucket.

    Raises:
        ConfigurationError: The bucket is of another account or region, whose events never come to the rules.
    """
    scope = cast("Construct", bucket) if rules_in is None else rules_in
    check_place(
        scope,
        "the bucket",
        bucket,
        way_out="its events stay there, so put a rule there which sends them to this account's event bus, or copy the "
        "objects to a bucket of this one",
    )
    if not isinstance(bucket, s3.Bucket):
        announce(
            scope,
            f"events of {bucket.node.path}",
            f"The bucket {bucket.bucket_name} was made elsewhere: no object arrives until EventBridge is switched on "
            "in its properties, and a customer-managed key that encrypts it can be used only if the bucket was "
            "imported with `Bucket.from_bucket_attributes(..., encryption_key=...)`.",
        )
    if isinstance(bucket, s3.Bucket):
        resource = cast("s3.CfnBucket", bucket.node.default_child)
        resource.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)


def object_created(bucket_name: str, *, prefix: str | None = None, suffix: str | None = None) -> dict[str, Any]:
    """The event pattern of objects created in a bucket whose keys begin with `prefix` and end with `suffix`."""
    detail: dict[str, Any] = {"bucket": {"name": [bucket_name]}}
    if key := _key_filter(prefix, suffix):
        detail["object"] = {"key": [key]}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}


def _key_filter(prefix: str | None, suffix: str | None) -> dict[str, str] | None:
    if prefix and suffix:
        # Two filters in one list would mean "or"; a wildcard is the only "and" within a field.
        return {"wildcard": f"{_literal(prefix)}*{_literal(suffix)}"}
    if prefix:
        return {"prefix": prefix}
    return {"suffix": suffix} if suffix else None


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")

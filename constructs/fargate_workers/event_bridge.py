"""What S3 and EventBridge need to talk to each other."""

from typing import Any, cast

from aws_cdk import aws_s3 as s3


def switch_on_event_bridge(bucket: s3.IBucket) -> None:
    """Let `bucket` announce its objects on EventBridge, by a property of the bucket itself.

    The CDK's own `event_bridge_enabled=True` would add a Lambda function, a role and a custom resource for this.
    A bucket made elsewhere cannot be changed from here; it must announce its objects already.
    """
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

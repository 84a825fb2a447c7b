"""The envelopes of SNS, EventBridge and S3, taken off."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote_plus

from fargate_workers_runtime.errors import PoisonMessage

#: Each envelope has one of these keys.
_MARKS = frozenset({"Event", "Records", "Type", "detail-type"})


def unwrap(body: Any, *, parse: Callable[[str], Any]) -> tuple[Any, dict[str, str]] | None:
    """The payload inside `body`, and the fields of its envelopes. A body without an envelope is its own payload.

    None is S3's test event, sent when notifications are set up: there is nothing in it to handle. A topic may carry any
    of the others, so SNS is taken off first; `parse` decodes the text that it carries.

    Raises:
        PoisonMessage: An S3 notification of several objects, which would be several effects under one key, or of a key
            that is no UTF-8.
    """
    event = _as_object(body)
    if _MARKS.isdisjoint(event):
        return body, {}
    said: dict[str, str] = {}
    if notification := sns_notification(event):
        text, said = notification
        body = parse(text)

    # https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    event = _as_object(body)
    if "detail-type" in event and "detail" in event and "id" in event and "source" in event and "time" in event:
        said |= {name: str(event[name]) for name in ("detail-type", "id", "source", "time")}
        return event["detail"], said

    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    records = _as_array(event.get("Records"))
    if any("s3" in _as_object(record) for record in records):
        if len(records) > 1:
            raise PoisonMessage("more than one record", detail=f"{len(records)} objects in one notification")
        record = _as_object(records[0])
        said |= {name: str(record[name]) for name in ("eventName", "eventSource", "eventTime") if name in record}
        return _with_key_decoded(record), said
    if event.get("Event") == "s3:TestEvent" and event.get("Service") == "Amazon S3":
        return None
    return body, said


def sns_notification(body: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """The text in the envelope of SNS, and the envelope's fields; None if `body` is no such envelope."""
    if body.get("Type") != "Notification" or "TopicArn" not in body or "Message" not in body:
        return None
    said = {"topic": str(body["TopicArn"])}
    for name, attribute in _as_object(body.get("MessageAttributes")).items():
        said[name] = str(_as_object(attribute).get("Value", ""))
    return str(body["Message"]), said


def _with_key_decoded(record: dict[str, Any]) -> dict[str, Any]:
    """`record`, its object's key as S3 takes it: a notification writes it like a form's field (`a+b%C3%BC.csv`)."""
    s3 = _as_object(record["s3"])
    stored = _as_object(s3.get("object"))
    if not isinstance(key := stored.get("key"), str):
        return record  # the schema decides
    try:
        decoded = unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        raise PoisonMessage("invalid unicode", detail="the object's key") from None
    return {**record, "s3": {**s3, "object": {**stored, "key": decoded}}}


def _as_object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _as_array(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []

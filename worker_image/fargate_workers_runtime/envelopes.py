"""What SNS and EventBridge wrap around a message, taken off."""

from collections.abc import Callable
from typing import Any, cast

_EVENT_BRIDGE = frozenset({"detail", "detail-type", "id", "source", "time"})


def unwrap(body: Any, *, parse: Callable[[str], Any]) -> tuple[Any, dict[str, str]]:
    """The payload inside `body`, and what the envelopes said of it. A body without an envelope is its own payload.

    A topic may carry an event, so SNS is taken off first. `parse` decodes the text that SNS carries.
    """
    said: dict[str, str] = {}
    sns = _as_object(body)
    if sns.get("Type") == "Notification" and "TopicArn" in sns and "Message" in sns:
        said["topic"] = str(sns["TopicArn"])
        for name, attribute in _as_object(sns.get("MessageAttributes")).items():
            said[name] = str(_as_object(attribute).get("Value", ""))
        body = parse(str(sns["Message"]))
    event = _as_object(body)
    if event.keys() >= _EVENT_BRIDGE:
        said |= {name: str(event[name]) for name in ("detail-type", "id", "source", "time")}
        body = event["detail"]
    return body, said


def _as_object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

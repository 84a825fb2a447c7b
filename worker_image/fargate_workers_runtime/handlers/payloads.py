"""Payloads that are not JSON: the text of a message as it was sent, and the bytes that a text carries as base64."""

import base64
import binascii
import json
import string
from typing import Any, Literal, cast

from fargate_workers_runtime.brokers import sns_notification
from fargate_workers_runtime.errors import PoisonMessage

#: What `message.body` is.
Body = Literal["json", "text", "bytes"]

_NO_SPACE = str.maketrans("", "", string.whitespace)


def text_payload(text: str) -> tuple[str, dict[str, str]]:
    """The text that was sent, out of SNS's envelope if it is in one, and the envelope's fields.

    Other envelopes are JSON through and through, and left for the handler to read.
    """
    return sns_notification(_object_in(text)) or (text, {})


def decoded(text: str) -> bytes:
    """The bytes that `text` carries as base64, of either alphabet, in lines or not.

    Raises:
        PoisonMessage: It is no base64.
    """
    packed = text.translate(_NO_SPACE).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise PoisonMessage("not base64") from None


def _object_in(text: str) -> dict[str, Any]:
    if '"TopicArn"' not in text:  # a large text is not parsed in vain
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

"""The gate: the checks before a handler. What does not pass is poison, with a reason, at its first delivery."""

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn, get_args

import jsonschema_rs

from fargate_workers_runtime.brokers import Delivery, unwrap
from fargate_workers_runtime.errors import PoisonMessage
from fargate_workers_runtime.handlers.payloads import Body, decoded, text_payload
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.settings import MAX_MESSAGE_BYTES

#: Deeper JSON is refused: no honest message is, and the next program's stack may be smaller.
MAX_DEPTH = 100

#: The longest idempotency key, in bytes; a claim's key in DynamoDB takes 2,048.
MAX_KEY_BYTES = 1024

#: Nearly every payload begins with one of these.
_OPENING = frozenset("{[")

KeyOf = str | Callable[[Message], str | int]


class Gate:
    """The checks of a message: size, JSON, envelope, schema, idempotency key, in this order.

    For text and bytes: size, envelope and key.

    Args:
        schema: A JSON Schema of the payload. Default: none; any JSON passes.
        idempotency_key: A JSON pointer to the business id (`"/order_id"`), or a function of the message. Default: the
            message's id, which changes when a dead letter is sent again.
        max_bytes: Larger messages are refused. Default: 1 MiB.
        body: What a message's body becomes. Default: the JSON in it.

    Raises:
        ValueError: The schema or the pointer is not valid, or there is one although `body` is not JSON.
    """

    def __init__(
        self,
        schema: Mapping[str, Any] | None = None,
        *,
        idempotency_key: KeyOf | None = None,
        max_bytes: int = MAX_MESSAGE_BYTES,
        body: Body = "json",
    ) -> None:
        _check(body, schema, idempotency_key)
        self._validator = None if schema is None else _validator(schema)
        self._key_of_payload = _pointer(idempotency_key) if isinstance(idempotency_key, str) else None
        self._key_of_message = None if isinstance(idempotency_key, str) else idempotency_key
        self._max_bytes = max_bytes
        self._body = body

    def open(self, delivery: Delivery) -> Message | None:
        """The message inside `delivery`; None if there is nothing in it to handle (S3's test event).

        Raises:
            PoisonMessage: It may not pass.
        """
        self._measure(delivery.text)
        if self._body == "json":
            unwrapped = unwrap(self._decode(delivery.text), parse=self._decode)
        else:
            unwrapped = text_payload(delivery.text)
            self._measure(unwrapped[0])  # an envelope can write what UTF-8 cannot hold
        if unwrapped is None:
            return None
        payload, said = unwrapped
        if self._body == "bytes":
            payload = decoded(payload)
        self._validate(payload)
        message = Message.of(
            delivery,
            body=payload,
            attributes={**delivery.attributes, **said},
            idempotency_key=_key(self._key_of_payload, payload) if self._key_of_payload else delivery.id,
        )
        if self._key_of_message:
            message = replace(message, idempotency_key=_key(self._key_of_message, message))
        return message

    def _measure(self, text: str) -> None:
        try:
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError:
            raise PoisonMessage("invalid unicode") from None
        if size > self._max_bytes:
            raise PoisonMessage("too large", detail=f"{size} bytes; at most {self._max_bytes} pass")

    def _decode(self, text: str) -> Any:
        try:
            body = _parsed(text)
        except RecursionError:
            raise PoisonMessage("nested too deep") from None
        except json.JSONDecodeError as error:
            raise PoisonMessage("not JSON", detail=f"{error.msg} at character {error.pos}") from None
        except ValueError:  # more digits than Python turns into a number
            raise PoisonMessage("number out of range") from None
        # Both looks cost a scan, so text that cannot contain the fault skips them.
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
            raise PoisonMessage("nested too deep")
        if "\\" in text and ("\\ud" in text or "\\uD" in text):
            _refuse_lone_surrogates(body)
        return body

    def _validate(self, payload: Any) -> None:
        if self._validator is None:
            return
        try:
            self._validator.validate(payload)
        except jsonschema_rs.ValidationError as error:
            where = "".join(f"/{part}" for part in error.schema_path)
            raise PoisonMessage(f"schema: {where}", detail=f"{_path(error.instance_path)}: {error.message}") from None
        except ValueError:  # a value that JSON Schema cannot look at, such as a number of 4,000 digits
            raise PoisonMessage("number out of range") from None


def _check(body: Body, schema: object, idempotency_key: object) -> None:
    if body not in get_args(Body):
        raise ValueError(f"body is {body!r}; make it one of {', '.join(get_args(Body))}.")
    if body != "json" and schema is not None:
        raise ValueError(f'A JSON Schema judges JSON; leave schema out, or body="{body}".')
    if body != "json" and isinstance(idempotency_key, str):
        raise ValueError(f'A JSON pointer looks into JSON; with body="{body}", make idempotency_key a function.')
    if inspect.iscoroutinefunction(idempotency_key):
        raise ValueError("idempotency_key is a coroutine function, which nobody would wait for; remove its async.")


def _validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    # Masked: what an error quotes would carry the message's content into logs. Offline: a schema must not fetch.
    try:
        return jsonschema_rs.validator_for(dict(schema), mask="the value", offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise ValueError(f"The schema is not valid: {error}") from error


def _pointer(pointer: str) -> Callable[[Any], Any]:
    """A function that looks up a JSON pointer (RFC 6901)."""
    if not pointer.startswith("/"):
        raise ValueError(f"idempotency_key {pointer!r} is not a JSON pointer; write it as '/order_id'.")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]

    def look_up(value: Any) -> Any:
        for part in parts:
            value = value[int(part) if isinstance(value, list) else part]
        return value

    return look_up


def _key(key_of: Callable[[Any], Any], source: Any) -> str:
    try:
        found = key_of(source)
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise TypeError("not a string or whole number")
        key = str(found)
        fits = 0 < len(key.encode()) <= MAX_KEY_BYTES
    except Exception as error:
        raise PoisonMessage("no idempotency key", detail=type(error).__name__) from error
    if not fits:
        raise PoisonMessage("no idempotency key", detail=f"it is empty or longer than {MAX_KEY_BYTES} bytes")
    return key


def _parsed(text: str) -> Any:
    """What is in JSON; white space around it, which hardly any has, is looked for last."""
    if text[:1] in _OPENING:
        value, end = _json.raw_decode(text)
        if end == len(text):
            return value
    return _json.decode(text)


def _refuse_constant(_name: str) -> NoReturn:
    raise PoisonMessage("not JSON", detail="NaN and Infinity are not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise PoisonMessage("number out of range")
    return value


_json = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _depth(body: Any) -> int:
    """Levels of nesting, counted level by level, without recursion."""
    depth = 0
    level = _children([[body]])
    while level:
        depth += 1
        level = _children(level)
    return depth


def _children(containers: Iterable[Any]) -> list[Any]:
    """The objects and arrays directly inside `containers`."""
    inside: list[Any] = []
    for container in containers:
        inside += container.values() if isinstance(container, dict) else container
    return [each for each in inside if isinstance(each, dict | list)]


def _refuse_lone_surrogates(body: Any) -> None:
    """`"\\ud800"` is JSON that no UTF-8 can hold: the first store it reached would fail."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise PoisonMessage("invalid unicode") from None


def _path(parts: list[str | int]) -> str:
    return "".join(f"/{part}" for part in parts) or "the payload"

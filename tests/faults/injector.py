"""Faults of AWS, made in the client: the runtime above is the one that ships, the server below answers as ever.

    Injector([Fault("DeleteMessageBatch", "throttle", calls=(1, 2))]).install(boto3.DEFAULT_SESSION.events)

Most faults come before the request is sent, so that it never arrives. Under moto's `mock_aws` a fault of the kinds
`error` and `throttle` is instead an answer that got lost: botocore runs every handler of `before-send`, moto's among
them, and then believes the first.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.hooks import BaseEventHooks

Kind = Literal["error", "throttle", "skewed", "timeout", "late", "partial", "refused", "duplicate", "replay", "reverse"]

#: What AWS answers, by kind: the status and the code.
_ANSWERS = {
    "error": (500, "InternalFailure"),
    "throttle": (400, "ThrottlingException"),
    "skewed": (403, "RequestTimeTooSkewed"),
}

#: What it says of one entry.
_CODES = {"partial": "InternalError", "refused": "ReceiptHandleIsInvalid"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one operation.

    Attributes:
        operation: As AWS calls it.
        kind: `error`, `throttle`, `skewed`: AWS refuses. `timeout`: it does not answer. `late`: the
            request takes a second on its way. `partial`: the first entry of a
            batch fails through no fault of the sender; `refused`: through the sender's. `duplicate`: every message
            received comes twice; `replay`: once more with each later answer; `reverse`: in reverse order.
        calls: Which calls, counted from 1; those that botocore repeats count anew. Default: all.
        during: Only while this file exists.
    """

    operation: str
    kind: Kind
    calls: Sequence[int] | None = None
    during: Path | None = None


class Injector:
    """Makes `faults` happen, and counts the requests of each operation, those that failed included."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.requests: Counter[str] = Counter()
        self._faults = faults
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._received: list[Any] = []

    def install(self, events: BaseEventHooks) -> None:
        """Hook into the events of a session, before its clients are made, or of a client."""
        # First, because under `mock_aws` the first answer is the one that counts.
        events.register_first("before-send", self._before_send)
        for operation in {fault.operation for fault in self._faults}:
            events.register(f"provide-client-params.*.{operation}", self._before_call)
            events.register(f"before-call.*.{operation}", self._before_request)
            events.register(f"after-call.*.{operation}", self._after_call)

    def _now(self, operation: str, call: int, *kinds: Kind) -> Iterator[Kind]:
        for fault in self._faults:
            if (
                fault.operation == operation
                and fault.kind in kinds
                and (fault.calls is None or call in fault.calls)
                and (fault.during is None or fault.during.exists())
            ):
                yield fault.kind

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.rsplit(".", 1)[-1]
        with self._lock:
            self.requests[operation] += 1
            call = self.requests[operation]
        for kind in self._now(operation, call, "error", "throttle", "skewed", "timeout", "late"):
            if kind == "timeout":
                raise ReadTimeoutError(endpoint_url=request.url)
            if kind == "late":
                time.sleep(1)
                return None
            status, code = _ANSWERS[kind]
            return _answer(request.url, status, {"__type": code, "message": f"injected: {code}"})
        return None

    def _before_call(
        self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> dict[str, Any] | None:
        """Number the call; keep the entry that shall fail back from the server."""
        with self._lock:
            self._calls[model.name] += 1
            context["call"] = self._calls[model.name]
        for kind in self._now(model.name, context["call"], "partial", "refused"):
            first, *rest = params["Entries"]
            context["failed"] = {"Id": first["Id"], "SenderFault": kind == "refused", "Code": _CODES[kind]}
            context["not sent"] = not rest
            return {**params, "Entries": rest or [first]}  # a batch without entries would not pass the client
        return None

    def _before_request(self, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        return (_answer("", 200, {}), {}) if context.get("not sent") else None

    def _after_call(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if failed := context.get("failed"):
            parsed["Successful"] = [entry for entry in parsed.get("Successful", []) if entry["Id"] != failed["Id"]]
            parsed.setdefault("Failed", []).append(failed)
        for kind in self._now(model.name, context["call"], "duplicate", "replay", "reverse"):
            messages = parsed.get("Messages", [])
            if kind == "reverse":
                messages.reverse()
            elif kind == "duplicate":
                parsed["Messages"] = [each for message in messages for each in (message, message)]
            else:
                parsed["Messages"] = [*messages, *self._received]
                self._received += messages


def _answer(url: str, status: int, content: dict[str, str]) -> AWSResponse:
    return AWSResponse(url, status, {"Content-Type": "application/x-amz-json-1.0"}, _Raw(json.dumps(content).encode()))


class _Raw:
    """As much of a urllib3 response as botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content

"""What stands in for `awslambdaric`, which has no build for every machine: it calls a handler with each invocation.

    python runtime_client.py order_pipeline.apply_orders.handler

It is a program of its own, with the standard library alone, and runs in the environment of the image's packages. It
speaks Lambda's runtime interface: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.client
import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

_PATH = "/2018-06-01/runtime"


class Context:
    """An invocation as its handler sees it."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        return max(0, self._deadline - int(time.time() * 1000))


def main(name: str) -> None:
    """Serve invocations until the environment ends."""
    try:
        module, _, attribute = name.rpartition(".")
        handler = getattr(import_module(module), attribute)
    except BaseException as error:
        _post("init/error", _described(error))
        raise
    while True:
        headers, event = _next()
        context = Context(headers)
        invocation = f"invocation/{context.aws_request_id}"
        try:
            answer = handler(event, context)
        except Exception as error:
            traceback.print_exc()
            _post(f"{invocation}/error", _described(error))
        else:
            _post(f"{invocation}/response", answer)


def _next() -> tuple[Mapping[str, str], Any]:
    headers, body = _request("GET", "invocation/next")
    return headers, json.loads(body)


def _post(path: str, value: Any) -> None:
    _request("POST", path, json.dumps(value))


def _request(method: str, path: str, body: str | None = None) -> tuple[Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, f"{_PATH}/{path}", body)
        answer = connection.getresponse()
        return dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def _described(error: BaseException) -> dict[str, str]:
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


if __name__ == "__main__":
    main(sys.argv[1])

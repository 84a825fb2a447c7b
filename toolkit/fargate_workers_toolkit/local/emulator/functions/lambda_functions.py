"""Functions that rules invoke: asynchronously, with the retries and the destination for failures they are given.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import concurrency, eventbridge, lambda_service, responses

logger = logging.getLogger("local.functions")

DEFAULT_RETRIES = 2
FIRST_PAUSE_SECONDS = 60


class Functions:
    """The dispatch of invocations in place of MiniStack's, which forgets an invocation as soon as it has begun.

    Args:
        clock: The clock of the embedded AWS.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: list[threading.Thread] = []

    def install(self) -> None:
        """Put it into MiniStack."""
        eventbridge._dispatch_to_lambda = self.invoke

    def invoke(self, arn: str, payload: str) -> None:
        """Begin the first attempt.

        Args:
            arn: The function.
            payload: The event.
        """
        scope = responses.get_account_id(), responses.get_region()
        thread = threading.Thread(target=self._attempt, args=(arn, json.loads(payload), scope, 0), daemon=True)
        self._begun.append(thread)
        thread.start()

    def wait(self) -> None:
        """Returns when the first attempts of all invocations begun so far have ended."""
        while self._begun:
            self._begun.pop().join()

    def _attempt(self, arn: str, event: object, scope: tuple[str, str], retries: int) -> None:
        with responses.request_scope(*scope):
            function, configuration, name = lambda_service._get_func_record_for_ref(arn)
            if not function:
                return
            record = lambda_service._execution_record_for_config(function, configuration)
            begun = time.time()
            result = lambda_service._execute_function_with_config_scope(record, event)
            failed, milliseconds = bool(result.get("error")), 1000 * (time.time() - begun)
            lambda_service._emit_lambda_metrics(name, duration_ms=milliseconds, error=failed, throttle=False)
            if not failed:
                return
            logger.error("%s failed: %s", name, result.get("body"))
            configurations: Mapping[str, Any] = function.get("event_invoke_configs") or {}
            invocation: Mapping[str, Any] = configurations.get("$LATEST") or configurations.get("") or {}
            if retries < int(invocation.get("MaximumRetryAttempts", DEFAULT_RETRIES)):
                concurrency.spawn_background(self._retry, arn, event, scope, retries + 1, thread_name="retry-function")
                return
            destinations: Mapping[str, Any] = invocation.get("DestinationConfig") or {}
            letters: Mapping[str, Any] = configuration.get("DeadLetterConfig") or {}
            destination = destinations.get("OnFailure", letters).get("Destination") or letters.get("TargetArn")
            if destination:
                lambda_service._route_async_failure(destination, name, event, result)

    def _retry(self, arn: str, event: object, scope: tuple[str, str], retries: int) -> None:
        time.sleep(self._clock.wait(FIRST_PAUSE_SECONDS * 2 ** (retries - 1)))
        self._attempt(arn, event, scope, retries)

"""The steps of a worker, seen from outside: each request sent and answered, each handler begun, each effect made.

A step's name counts its kind: `DeleteMessageBatch 1 sent`. "Sent" is the moment before: the request is made and signed,
and AWS has not seen it. "Answered" is the moment after: AWS has done it, and nobody here has acted on it. Before an
answer that is a refusal comes a step "refused": AWS has not done it.
"""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
from botocore.hooks import BaseEventHooks


class Steps:
    """Names the steps as they are reached, and calls `reached` at each, in its own thread."""

    def __init__(self, reached: Callable[[str], None]) -> None:
        self._reached = reached
        self._lock = threading.Lock()
        self._begun: Counter[tuple[str, str]] = Counter()
        self._over: Counter[tuple[str, str]] = Counter()

    def reach(self, what: str, moment: str) -> None:
        """Take the next step of this kind."""
        with self._lock:
            self._begun[what, moment] += 1
            number = self._begun[what, moment]
        self._reached(f"{what} {number} {moment}")
        with self._lock:
            self._over[what, moment] += 1

    def count(self, moment: str, *what: str) -> int:
        """How many steps of these kinds are over."""
        with self._lock:
            return sum(self._over[each, moment] for each in what)

    def watch(self, events: BaseEventHooks) -> None:
        """See every request of a session's clients; install it before they are made."""
        events.register("before-send", self._sent)
        events.register("response-received", self._answered)

    def watch_redis(self) -> None:
        """See every command of this process's Redis clients."""
        execute = redis.Redis.execute_command

        def execute_command(client: "redis.Redis", *arguments: Any, **options: Any) -> Any:
            self.reach(arguments[0], "sent")
            answer = execute(client, *arguments, **options)
            self.reach(arguments[0], "answered")
            return answer

        redis.Redis.execute_command = execute_command  # type: ignore[method-assign]

    def _sent(self, event_name: str, **_: Any) -> None:
        self.reach(event_name.rsplit(".", 1)[-1], "sent")

    def _answered(self, event_name: str, *, parsed_response: dict[str, Any] | None, **_: Any) -> None:
        operation = event_name.rsplit(".", 1)[-1]
        if parsed_response is None or "Error" in parsed_response:
            self.reach(operation, "refused")
        self.reach(operation, "answered")

"""A whole worker around a handler, with the queue, the claims and time in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fargate_workers_runtime.asynchronous import Handler, synchronous
from fargate_workers_runtime.entry import run_once
from fargate_workers_runtime.gate import KeyOf
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.queue import DeadLetter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing.clock import Clock
from fargate_workers_runtime.testing.memory_claims import MemoryClaims
from fargate_workers_runtime.testing.memory_queue import MemoryQueue


@dataclass(frozen=True, kw_only=True)
class Retried:
    """A message that the handler failed and that came back, `seconds` later."""

    message: Message
    error: BaseException
    seconds: int


class MemoryWorker:
    """The worker that `run` starts, around `handle`, in memory.

    It claims every message, under `idempotency_key` as in `run`. Time stands still: `wait` lets it pass for the queue
    and the claims, so that back-offs cost a test nothing.

    Args:
        fifo: The queue's groups are handled in order. Default: a standard queue.
        max_receive_count: Failures that a message has. Default: 5.
        concurrency: Messages at a time. Default: 1, so that they are handled in the order in which they were sent.

    Attributes:
        queue: Where `send` sends to.
        claims: What is claimed and done.
        clock: The time.
        handled: The messages whose handler has returned, in order.

    Example:
        >>> def handle(message: Message) -> None:
        ...     if message.receive_count == 1:
        ...         raise TimeoutError("the carrier is down")
        >>> worker = MemoryWorker(handle, idempotency_key="/order_id")
        >>> _ = worker.send({"order_id": "1"})
        >>> worker.settle()
        >>> [retried.error for retried in worker.retried]
        [TimeoutError('the carrier is down')]
        >>> [message.body for message in worker.handled]
        [{'order_id': '1'}]
    """

    def __init__(
        self,
        handle: Handler,
        *,
        schema: Mapping[str, Any] | None = None,
        idempotency_key: KeyOf | None = None,
        fifo: bool = False,
        max_receive_count: int = 5,
        concurrency: int = 1,
    ) -> None:
        self._settings = Settings(
            worker_name="test",
            queue_url="memory",
            receive_wait=0,
            health_file=None,
            concurrency=concurrency,
            max_receive_count=max_receive_count,
        )
        self._handle = synchronous(handle, seconds=self._settings.max_processing)
        self._schema = schema
        self._idempotency_key = idempotency_key
        self._failed: list[tuple[Message, BaseException]] = []
        self.clock = Clock()
        self.queue = MemoryQueue(fifo=fifo, max_receive_count=max_receive_count, clock=self.clock)
        self.claims = MemoryClaims(clock=self.clock)
        self.handled: list[Message] = []

    @property
    def retried(self) -> list[Retried]:
        """What the handler failed and the queue was given back, in order."""
        seconds = {received.receipt: seconds for received, seconds in self.queue.visibility_changes}
        return [
            Retried(message=message, error=error, seconds=seconds[message.receipt])
            for message, error in self._failed
            if message.receipt in seconds
        ]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """What went to the dead-letter queue, and why."""
        return self.queue.dead_letters

    @property
    def transactions(self) -> list[list[Mapping[str, Any]]]:
        """What handlers wrote with `message.transact`."""
        return self.claims.transactions

    def send(self, body: Any, *, group_id: str | None = None, attributes: Mapping[str, str] | None = None) -> str:
        """Send a message; returns its id. A string is sent as it is, anything else as JSON."""
        return self.queue.send(body, group_id=group_id, attributes=attributes)

    def run(self) -> None:
        """Handle every message that is visible now.

        Raises:
            RuntimeError: The worker would have been replaced by a fresh one; its log says why.
        """
        code = run_once(
            self._call,
            queue=self.queue,
            claims=self.claims,
            schema=self._schema,
            idempotency_key=self._idempotency_key,
            settings=self._settings,
        )
        if code:
            raise RuntimeError(f"The worker ended with exit code {code}; its log says why.")

    def wait(self, by: float | timedelta) -> None:
        """Let time pass, in seconds or as a timedelta, and nothing happen."""
        self.clock.advance(by)

    def settle(self) -> None:
        """Run, wait until the next message is visible, and run again, until each is handled or dead."""
        self.run()
        while (seconds := self.queue.seconds_to_next) is not None:
            self.wait(seconds)
            self.run()

    def __str__(self) -> str:
        """What became of the messages, a line each."""
        lines = [
            *(f"handled      {message.raw}" for message in self.handled),
            *(
                f"retried      {retried.message.raw} after {retried.seconds} s: {retried.error!r}"
                for retried in self.retried
            ),
            *(
                f"dead letter  {letter.received.text}: {': '.join(filter(None, (letter.reason, letter.detail)))}"
                for letter in self.dead_letters
            ),
        ]
        seconds = self.queue.seconds_to_next
        return "\n".join([*lines, "queue        " + ("empty" if seconds is None else f"next message in {seconds:g} s")])

    def _call(self, message: Message) -> None:
        try:
            self._handle(message)
        except BaseException as error:
            self._failed.append((message, error))
            raise
        self.handled.append(message)

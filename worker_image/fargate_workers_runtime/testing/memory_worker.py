"""A whole worker around a handler, with the queue, the claims and the clock in memory."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fargate_workers_runtime.brokers import DeadLetter
from fargate_workers_runtime.entry_points import run_once
from fargate_workers_runtime.errors import HandlerRefused
from fargate_workers_runtime.handlers import Body, Handler, KeyOf, synchronous
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.plain_values import described
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing.clock import Clock
from fargate_workers_runtime.testing.memory_claims import MemoryClaims
from fargate_workers_runtime.testing.memory_queue import MemoryQueue

#: More deliveries than any test makes.
_MANY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Retried:
    """An attempt that failed, of a message that is delivered again.

    Attributes:
        message: The message as the handler saw it.
        error: What the handler raised.
        seconds: Seconds until the next delivery.
    """

    message: Message
    error: BaseException
    seconds: int


class MemoryWorker:
    """The worker that `run` starts, around `handle`, in memory.

    It claims every message, under `idempotency_key` as in `run`. Time stands still: `wait` lets it pass for the queue
    and the claims, so that back-offs cost a test nothing.

    Args:
        handle: As for `run`.
        schema: As for `run`. Default: none.
        idempotency_key: As for `run`. Default: the message's id.
        body: As for `run`. Default: "json".
        fifo: The queue's groups are handled in order. Default: a standard queue.
        max_attempts: Failures after which a message is dead-lettered. Default: 10.
        max_receive_count: Deliveries after which the queue gives a message up; at most as many attempts. Default: 100.
        concurrency: Messages at a time. Default: 1, so that they are handled in the order in which they were sent.

    Attributes:
        queue: The queue that `send` sends to.
        claims: The idempotency keys that are claimed or completed.
        clock: The time, which `wait` advances.
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
        body: Body = "json",
        fifo: bool = False,
        max_attempts: int = 10,
        max_receive_count: int = 100,
        concurrency: int = 1,
    ) -> None:
        self._settings = Settings(
            worker_name="test",
            queue_url="memory",
            receive_wait=0,
            health_file=None,
            concurrency=concurrency,
            max_attempts=min(max_attempts, max_receive_count),
            # Between two runs, a worker releases what it has in flight to a FIFO queue: the test made no such delivery.
            max_receive_count=0 if fifo else max_receive_count,
        )
        self._handle = synchronous(handle, seconds=self._settings.max_processing)
        self._schema = schema
        self._idempotency_key = idempotency_key
        self._body: Body = body
        self._failed: list[tuple[Message, BaseException]] = []
        self.clock: Clock = Clock()
        self.queue: MemoryQueue = MemoryQueue(
            fifo=fifo, max_receive_count=_MANY if fifo else max_receive_count, clock=self.clock
        )
        self.claims: MemoryClaims = MemoryClaims(clock=self.clock)
        self.handled: list[Message] = []

    @property
    def retried(self) -> list[Retried]:
        """The attempts that failed and whose messages are delivered again, in order."""
        seconds = {str(delivery.token): seconds for delivery, seconds in self.queue.released}
        return [
            Retried(message=message, error=error, seconds=seconds[message.receipt])
            for message, error in self._failed
            if message.receipt in seconds
        ]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The dead-lettered messages and their reasons."""
        return self.queue.dead_letters

    @property
    def transactions(self) -> list[list[Mapping[str, Any]]]:
        """The items that handlers wrote with `message.transact`, a list for each transaction."""
        return self.claims.transactions

    def send(self, body: Any, *, group_id: str | None = None, attributes: Mapping[str, str] | None = None) -> str:
        """A further message in the queue; returns its id.

        Args:
            body: The payload: a string is sent as it is, bytes as base64, anything else as JSON.
            group_id: The message group in a FIFO queue, the tenant in a standard one. Default: none.
            attributes: String attributes. Default: none.
        """
        if isinstance(body, bytes):
            body = base64.b64encode(body).decode()
        return self.queue.send(body, group_id=group_id, attributes=attributes)

    def run(self) -> None:
        """One run of the worker, over every message that can be received now.

        Raises:
            HandlerRefused: The handler returns work that is not done.
            RuntimeError: The worker would have been replaced by a fresh one; its log has the reason.
        """
        code = run_once(
            self._call,
            queue=self.queue,
            claims=self.claims,
            schema=self._schema,
            idempotency_key=self._idempotency_key,
            body=self._body,
            settings=self._settings,
        )
        for _, error in self._failed:
            if isinstance(error, HandlerRefused):
                raise error
        if code:
            raise RuntimeError(f"The worker ended with exit code {code}; its log says why.")

    def wait(self, by: float | timedelta) -> None:
        """A step of the clock, in which nothing happens.

        Args:
            by: How far, as a timedelta or in seconds.
        """
        self.clock.advance(by)

    def settle(self) -> None:
        """Runs, with steps of the clock to the next message, until each message is handled or dead-lettered."""
        self.run()
        while (seconds := self.queue.seconds_to_next) is not None:
            self.wait(seconds)
            self.run()

    def __str__(self) -> str:
        """The outcome of each message, one a line."""
        lines = [
            *(f"handled      {message.raw}" for message in self.handled),
            *(
                f"retried      {retried.message.raw} after {retried.seconds} s: {described(retried.error)}"
                for retried in self.retried
            ),
            *(
                f"dead letter  {letter.delivery.text}: {': '.join(filter(None, (letter.reason, letter.detail)))}"
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

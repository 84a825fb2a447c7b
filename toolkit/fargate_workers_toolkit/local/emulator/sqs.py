"""SQS as AWS has it, where MiniStack differs: moves of dead letters, stale receipts, and messages lost to threads."""

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import concurrency, sqs

Message = dict[str, Any]
Queue = dict[str, Any]
Request = Mapping[str, Any]

MOVE_PAUSE_SECONDS = 0.2
_REMOVAL = threading.Lock()


@dataclass
class Move:
    """One StartMessageMoveTask."""

    handle: str
    source: str
    destination: str | None
    per_second: int
    total: int
    started: float
    status: str = "RUNNING"
    moved: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)

    def described(self) -> dict[str, Any]:
        """Return it in the form of ListMessageMoveTasks."""
        running = {"TaskHandle": self.handle} if self.status == "RUNNING" else {}
        destination = {"DestinationArn": self.destination} if self.destination else {}
        # AWS does not know where a message came from that a worker itself sent to the dead-letter queue.
        failure = {"FailureReason": "CouldNotDetermineMessageSource"} if self.status == "FAILED" else {}
        return {
            **running,
            **destination,
            **failure,
            "SourceArn": self.source,
            "Status": self.status,
            "MaxNumberOfMessagesPerSecond": self.per_second,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.total,
            "StartedTimestamp": int(self.started * 1000),
        }


class Queues:
    """Replaces actions of MiniStack's SQS; counts what the metrics need."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self._moves: dict[str, Move] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put it into MiniStack."""
        sqs._expire_retained = _expire_retained
        sqs._dlq_sweep = _sweep_to_dead_letter_queue
        sqs._receive_messages_for_esm = self._counting_mapping(sqs._receive_messages_for_esm)
        sqs._delete_messages_for_esm = self.delete_for_mapping
        actions = sqs._HANDLERS
        # Batches call these module-level functions, single requests the table of actions.
        sqs._act_send_message = actions["SendMessage"] = self._counting(sqs._act_send_message, "NumberOfMessagesSent")
        actions.update(
            {
                "DeleteMessage": self.delete,
                "DeleteMessageBatch": self.delete_batch,
                "ReceiveMessage": self._counting_receive(actions["ReceiveMessage"]),
                "StartMessageMoveTask": self.start_move,
                "ListMessageMoveTasks": self.list_moves,
                "CancelMessageMoveTask": self.cancel_move,
                "ListDeadLetterSourceQueues": self.list_sources,
            }
        )

    # Deleting, in place: MiniStack replaces the list, and a message appended meanwhile by another thread is lost.

    def delete(self, request: Request, url: str) -> dict[str, Any]:
        """Delete a message. A stale receipt succeeds and deletes nothing, as on AWS."""
        queue = sqs._get_q(request.get("QueueUrl", url), "sqs:DeleteMessage")
        handle = request.get("ReceiptHandle")
        if not handle:
            raise sqs._Err("MissingParameter", "The request must contain the parameter ReceiptHandle.")
        self._delete(queue, handle)
        return {}

    def delete_batch(self, request: Request, url: str) -> dict[str, Any]:
        """Delete messages; stale receipts as in `delete`."""
        queue = sqs._get_q(request.get("QueueUrl", url), "sqs:DeleteMessage")
        sqs._validate_batch_entries(request.get("Entries", []), "DeleteMessageBatchRequestEntry")
        for entry in request["Entries"]:
            self._delete(queue, entry.get("ReceiptHandle"))
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def delete_for_mapping(self, url: str, handles: set[str]) -> None:
        """Delete what a function did not report as failed."""
        queue = sqs._get_q(url)
        for handle in handles:
            self._delete(queue, handle)

    def _delete(self, queue: Queue, handle: str | None) -> None:
        if _remove(queue, lambda message: message["receipt_handle"] == handle):
            self.count(queue["name"], "NumberOfMessagesDeleted")

    # Counting

    def count(self, queue: str, metric: str, by: int = 1) -> None:
        """Count something that happened on a queue."""
        with self._lock:
            self.counts.setdefault(queue, Counter())[metric] += by

    def take_counts(self, queue: str) -> Counter[str]:
        """Return what happened on a queue since the last call."""
        with self._lock:
            return self.counts.pop(queue, Counter())

    def _counting(self, action: Callable[[Request, str], Any], metric: str) -> Callable[[Request, str], Any]:
        def counted(request: Request, url: str) -> Any:
            result = action(request, url)
            self.count(sqs._get_q(request.get("QueueUrl", url))["name"], metric)
            return result

        return counted

    def _counting_receive(self, receive: Callable[[Request, str], Any]) -> Callable[[Request, str], Any]:
        async def counted(request: Request, url: str) -> Any:
            result = await receive(request, url)
            received = len(result.get("Messages", []))
            name = sqs._get_q(request.get("QueueUrl", url))["name"]
            self.count(name, "NumberOfMessagesReceived" if received else "NumberOfEmptyReceives", received or 1)
            return result

        return counted

    def _counting_mapping(self, receive: Callable[[str, int], list[Message]]) -> Callable[[str, int], list[Message]]:
        def counted(url: str, number: int) -> list[Message]:
            received = receive(url, number)
            name = sqs._get_q(url)["name"]
            metric = "NumberOfMessagesReceived" if received else "NumberOfEmptyReceives"
            self.count(name, metric, len(received) or 1)
            return received

        return counted

    # Moving dead letters back

    def start_move(self, request: Request, _: str) -> dict[str, Any]:
        """Answer StartMessageMoveTask."""
        source = _queue(request["SourceArn"])
        running = [move for move in self._moves.values() if move.source == request["SourceArn"]]
        if any(move.status == "RUNNING" for move in running):
            raise sqs._Err("InvalidParameterValue", "There is already a message move task running for this queue.")
        if request.get("DestinationArn"):
            _queue(request["DestinationArn"])
        elif not _sources(request["SourceArn"]):
            raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        move = Move(
            handle=uuid.uuid4().hex,
            source=request["SourceArn"],
            destination=request.get("DestinationArn"),
            per_second=int(request.get("MaxNumberOfMessagesPerSecond") or 500),
            total=len(source["messages"]),
            started=time.time(),
        )
        self._moves[move.handle] = move
        concurrency.spawn_background(self._run, move, thread_name="message-move-task")
        return {"TaskHandle": move.handle}

    def list_moves(self, request: Request, _: str) -> dict[str, Any]:
        """Answer ListMessageMoveTasks."""
        _queue(request["SourceArn"])
        moves = [move for move in self._moves.values() if move.source == request["SourceArn"]]
        moves.sort(key=lambda move: move.started, reverse=True)
        return {"Results": [move.described() for move in moves[: int(request.get("MaxResults") or 1)]]}

    def cancel_move(self, request: Request, _: str) -> dict[str, Any]:
        """Answer CancelMessageMoveTask."""
        move = self._moves.get(request["TaskHandle"])
        if move is None or move.status != "RUNNING":
            raise sqs._Err("ResourceNotFoundException", "The message move task is not running.")
        move.status = "CANCELLING"
        move.cancelled.set()
        return {"ApproximateNumberOfMessagesMoved": move.moved}

    def list_sources(self, request: Request, url: str) -> dict[str, Any]:
        """Answer ListDeadLetterSourceQueues."""
        arn = sqs._get_q(request.get("QueueUrl", url))["attributes"]["QueueArn"]
        return {"queueUrls": [queue["url"] for queue in _sources(arn)]}

    def _run(self, move: Move) -> None:
        """Moves at the asked rate. A moved message gets a new id: deduplication by message id fails here, as on AWS."""
        queue = _queue(move.source)
        while move.moved < move.total and not move.cancelled.wait(MOVE_PAUSE_SECONDS):
            allowed = int((time.time() - move.started) * move.per_second) - move.moved
            for _ in range(min(allowed, move.total - move.moved)):
                message = _remove(queue, lambda message: message["visible_at"] <= time.time())
                if message is None:
                    move.total = move.moved
                    break
                target = move.destination or message["sys"].get("DeadLetterQueueSourceArn")
                if target is None:
                    queue["messages"].append(message)
                    move.status = "FAILED"
                    return
                self._redrive(move, message, _queue(target))
        move.status = "CANCELLED" if move.cancelled.is_set() else "COMPLETED"

    def _redrive(self, move: Move, message: Message, target: Queue) -> None:
        now = time.time()
        message["sys"].pop("DeadLetterQueueSourceArn", None)
        target["messages"].append(
            {
                **message,
                "id": str(uuid.uuid4()),
                "receipt_handle": None,
                "receive_count": 0,
                "first_receive_at": None,
                "sent_at": now,
                "visible_at": now,
            }
        )
        move.moved += 1


def _queue(arn: str) -> Queue:
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"The queue {arn} does not exist.", 404)
    return queue


def _sources(arn: str) -> list[Queue]:
    """The queues whose dead letters go to this one."""
    return [queue for _, queue in sqs._queues.all_items() if arn in queue["attributes"].get("RedrivePolicy", "")]


def _remove(queue: Queue, matches: Callable[[Message], bool]) -> Message | None:
    """Takes out the first match. Every removal comes through here, so that no index goes stale between threads."""
    messages: list[Message] = queue["messages"]
    with _REMOVAL:
        for index, message in enumerate(messages):
            if matches(message):
                del messages[index]
                return message
    return None


def _expire_retained(queue: Queue) -> None:
    oldest = time.time() - int(queue["attributes"].get("MessageRetentionPeriod", 345600))
    while _remove(queue, lambda message: message.get("enqueued_at", message["sent_at"]) <= oldest):
        continue


def _sweep_to_dead_letter_queue(queue: Queue) -> None:
    """Moves what was received too often and is visible again."""
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    target = sqs._queue_by_arn(policy["deadLetterTargetArn"]) if policy else None
    if target is None:
        return
    limit = int(policy["maxReceiveCount"])
    while True:
        now = time.time()
        message = _remove(
            queue, lambda message, now=now: message["receive_count"] >= limit and message["visible_at"] <= now
        )
        if message is None:
            return
        message.update(receipt_handle=None, visible_at=now)
        message.setdefault("sys", {}).setdefault("DeadLetterQueueSourceArn", queue["attributes"].get("QueueArn", ""))
        if target["is_fifo"]:
            message["enqueued_at"] = now
        target["messages"].append(message)

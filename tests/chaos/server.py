"""SQS, strict, and DynamoDB on loopback, in whatever weather the run asks for.

    python -m tests.chaos.server --options '{"seed": 1}'

prints two ports, the first for SQS, the second for everything else, and serves until its standard input ends. A
request is one process's by the access key that signed it. The control interface, for the run alone:

    POST /queues/NAME           makes a queue and its dead-letter queue; both FIFO, if asked
    POST /queues/NAME/messages  sends messages
    POST /queues/NAME/outages   an outage begins
    POST /queues/NAME/redrive   moves every dead letter back, as the console does: each becomes a new message
    GET  /queues/NAME           how many messages are visible, hidden, deleted
    GET  /queues/NAME/stories   what became of every message and letter
    GET  /records               effects and records in DynamoDB, outages, and counts
"""

import argparse
import asyncio
import dataclasses
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from tests.chaos.sqs import FifoQueue, Message, Queue, RefusedError, StandardQueue, check_batch, md5
from tests.chaos.weather import Outage, Weather
from tests.doubles.aws_server import ACCOUNT, HOST, Request, Server, ServiceError
from tests.doubles.counting_dynamodb import Table, condition

_SERVICES = {"AmazonSQS": "SQS", "DynamoDB": "DynamoDB"}


class UnavailableError(Exception):
    """503."""


class Door:
    """A port that is one service's for good, and refuses connections while it is shut."""

    def __init__(self, serve: Callable[..., Any]) -> None:
        self._serve = serve
        # Bound and not listening, so that the port stays ours while nobody listens.
        self._reserved = _socket(0)
        self.port: int = self._reserved.getsockname()[1]
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=_socket(self.port), backlog=512)

    def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class ChaosServer(Server):
    """The benchmarks' server with a strict SQS, a memory for effects, and weather."""

    def __init__(self, *, seed: int, again: float = 0, **chances: float) -> None:
        super().__init__(latency=0)
        self._weather = Weather(seed=seed, **chances)
        self._again = again
        self._chance = random.Random(seed)
        self._queues: dict[str, Queue] = {}
        self._arrivals: dict[str, asyncio.Event] = {}
        self._recorded: dict[str, float] = {}
        self._exact: dict[str, int] = {}
        self._requests: Counter[str] = Counter()
        self._doors: dict[str, Door] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> tuple[int, int]:
        """Listen; returns the ports of SQS and of the rest."""
        self._doors = {service: Door(self._serve) for service in ("SQS", "DynamoDB", "control")}
        for door in self._doors.values():
            await door.open()
        self._url = f"http://{HOST}:{self._doors['SQS'].port}/{ACCOUNT}"
        return tuple(door.port for door in self._doors.values())  # type: ignore[return-value]

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        if not request.service:
            return await super()._answer(request)
        service = _SERVICES[request.service]
        self._requests[request.action] += 1
        await self._before(service, request.action)
        try:
            status, answer = await super()._answer(request)
        except UnavailableError as error:
            return 503, {"__type": "aws#ServiceUnavailable", "message": str(error)}
        except RefusedError as error:
            return 400, {"__type": f"aws#{error.code}", "message": str(error)}
        # What began while the request was under way meets its answer, too.
        outage = self._weather.now(service, request.action)
        if (outage and outage.kind in ("refuse", "hang", "lose")) or self._weather.loses_answer():
            self._unheard(request.action, answer)
            if outage and outage.kind == "hang":
                await self._hang(outage)
            raise ConnectionResetError
        return status, answer

    async def _before(self, service: str, action: str) -> None:
        """The weather that keeps a request from being looked at at all."""
        outage = self._weather.now(service, action)
        match outage.kind if outage else "":
            case "refuse":
                raise ConnectionResetError
            case "hang":
                assert outage
                await self._hang(outage)
                raise ConnectionResetError
            case _:
                return

    async def _hang(self, outage: Outage) -> None:
        await asyncio.sleep(max(0.0, outage.ends - time.monotonic()))

    def _refusal(self, service: str, action: str) -> None:
        """The weather that answers."""
        outage = self._weather.now(service, action)
        if outage and outage.kind == "error":
            raise UnavailableError("The service is unavailable.")
        if (outage and outage.kind == "throttle") or self._weather.throttles():
            code = "RequestThrottled" if service == "SQS" else "ThrottlingException"
            raise ServiceError(code, "The rate is exceeded.")

    def _unheard(self, action: str, answer: dict[str, Any]) -> None:
        """An answer does not arrive: what it brought was delivered to nobody, what it accepted nobody knows of."""
        queues = self._queues.values()
        if action == "ReceiveMessage":
            for each in answer.get("Messages", []):
                for queue in queues:
                    if message := queue.messages.get(each["MessageId"]):
                        message.deliveries[-1].heard = False
        elif action.startswith("SendMessage"):
            for each in answer.get("Successful", [answer]):
                for queue in queues:
                    if message := queue.messages.get(each.get("MessageId", "")):
                        message.heard = False

    # SQS

    async def _sqs(self, request: Request) -> dict[str, Any]:
        self._refusal("SQS", request.action)
        action, asked = request.action, request.body
        name = asked["QueueUrl"].rpartition("/")[2]
        if (queue := self._queues.get(name)) is None:
            raise ServiceError("QueueDoesNotExist", f"There is no queue {name}; make it with POST /queues/{name}.")
        match action:
            case "ReceiveMessage":
                return await self._poll(queue, request)
            case "DeleteMessage":
                queue.delete(asked["ReceiptHandle"])
                answer = {}
            case "ChangeMessageVisibility":
                queue.set_visibility(asked["ReceiptHandle"], asked["VisibilityTimeout"])
                answer = {}
            case "SendMessage":
                answer = _sent(self._put(queue, asked, request.by))
            case "DeleteMessageBatch":
                answer = self._each(asked, lambda entry: queue.delete(entry["ReceiptHandle"]))
            case "ChangeMessageVisibilityBatch":
                answer = self._each(
                    asked, lambda entry: queue.set_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"])
                )
            case "SendMessageBatch":
                answer = self._each(asked, lambda entry: self._put(queue, entry, request.by))
            case "GetQueueAttributes":
                counts = queue.counts()
                return {
                    "Attributes": {
                        "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}",
                        "VisibilityTimeout": str(int(queue.visibility_timeout)),
                        "ApproximateNumberOfMessages": str(counts["visible"]),
                        "ApproximateNumberOfMessagesNotVisible": str(counts["hidden"]),
                    }
                }
            case _:
                raise ServiceError("InvalidAction", f"This queue does not know {action}.")
        self._notify(queue)
        return answer

    async def _poll(self, queue: Queue, request: Request) -> dict[str, Any]:
        asked = request.body
        wait = asked.get("WaitTimeSeconds", 0)
        if not 0 <= wait <= 20:
            raise RefusedError("InvalidParameterValue", f"WaitTimeSeconds is {wait}; it must be from 0 to 20.")
        until = time.monotonic() + wait
        while True:
            if request.gone():
                raise ConnectionResetError
            messages = queue.receive(
                asked.get("MaxNumberOfMessages", 1),
                visibility=asked.get("VisibilityTimeout"),
                to=request.by,
                attempt_id=asked.get("ReceiveRequestAttemptId"),
            )
            if queue.dead_letter_queue:
                self._notify(queue.dead_letter_queue)
            now = time.monotonic()
            if messages or now >= until:
                break
            with suppress(TimeoutError):
                seconds = min(until, queue.next_visible_at() or until) - now
                await asyncio.wait_for(self._arrivals[queue.name].wait(), max(0.0, seconds))
        return {"Messages": [_delivered(message, asked) for message in messages]} if messages else {}

    def _each(self, asked: dict[str, Any], do: Callable[[dict[str, Any]], Message | None]) -> dict[str, Any]:
        """A batch: each entry succeeds or fails by itself."""
        check_batch(asked["Entries"])
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for entry in asked["Entries"]:
            if self._weather.fails_entry():
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
                continue
            try:
                message = do(entry)
            except RefusedError as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": str(error), "SenderFault": True})
            else:
                done.append({"Id": entry["Id"], **(_sent(message) if message else {})})
        return {"Successful": done, "Failed": failed}

    def _put(self, queue: Queue, entry: dict[str, Any], by: str) -> Message:
        return queue.send(
            entry["MessageBody"],
            attributes=entry.get("MessageAttributes"),
            group=entry.get("MessageGroupId"),
            deduplication_id=entry.get("MessageDeduplicationId"),
            by=by,
        )

    def _notify(self, queue: Queue) -> None:
        """Wake the polls that wait now."""
        self._arrivals[queue.name].set()
        self._arrivals[queue.name] = asyncio.Event()

    # DynamoDB

    def _dynamodb(self, request: Request) -> dict[str, Any]:
        self._refusal("DynamoDB", request.action)
        if request.action == "TransactWriteItems":
            return self._transact(request.body["TransactItems"])
        answer = super()._dynamodb(request)
        if request.action == "UpdateItem":
            self._remember(request.body)
        return answer

    def _transact(self, writes: list[dict[str, Any]]) -> dict[str, Any]:
        """Updates of items, all or none."""
        updates = [write["Update"] for write in writes]
        reasons = [self._reason(update) for update in updates]
        if any(reason["Code"] != "None" for reason in reasons):
            raise ServiceError("TransactionCanceledException", "A condition failed.", CancellationReasons=reasons)
        for update in updates:
            super()._dynamodb(Request("POST", "/", "DynamoDB", "UpdateItem", update, lambda: False))
            self._remember(update)
        return {}

    def _reason(self, update: dict[str, Any]) -> dict[str, Any]:
        """Why the update would be refused."""
        item = self._tables.setdefault(update["TableName"], Table()).get(update) or {}
        if condition(update.get("ConditionExpression", ""))(item, update["ExpressionAttributeValues"]):
            return {"Code": "None"}
        return {"Code": "ConditionalCheckFailed", "Item": item}

    def _remember(self, update: dict[str, Any]) -> None:
        """Note when a claim was completed, and how often an exact effect was made."""
        kind, _, key = update["Key"]["pk"]["S"].partition("#")
        if kind == "effects":
            self._exact[key] = self._exact.get(key, 0) + 1
        elif {"S": "C"} in update.get("ExpressionAttributeValues", {}).values():
            self._recorded.setdefault(key, time.monotonic())

    # Control

    def _control(self, request: Request) -> dict[str, Any]:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["queues", name]:
                return self._make_queue(name, **request.body)
            case "POST", ["queues", name, "messages"]:
                return self._send_all(self._queues[name], request.body["messages"])
            case "POST", ["queues", _, "outages"]:
                return self._begin(**request.body)
            case "POST", ["queues", name, "redrive"]:
                return self._redrive(self._queues[name])
            case "GET", ["queues", name]:
                return self._queues[name].counts()
            case "GET", ["queues", name, "stories"]:
                queue = self._queues[name]
                assert queue.dead_letter_queue
                return {
                    "messages": [message.story for message in queue.messages.values()],
                    "letters": [message.story for message in queue.dead_letter_queue.messages.values()],
                }
            case "GET", ["records"]:
                return {
                    "exact": self._exact,
                    "recorded": self._recorded,
                    "outages": [dataclasses.asdict(outage) for outage in self._weather.outages],
                    "requests": dict(self._requests),
                    "lost": self._weather.lost,
                    "throttled": self._weather.throttled,
                    "failed_entries": self._weather.failed_entries,
                }
            case _:
                return super()._control(request)

    def _make_queue(self, name: str, *, fifo: bool, **settings: Any) -> dict[str, Any]:
        kind, suffix = (FifoQueue, ".fifo") if fifo else (StandardQueue, "")
        letters = kind(f"{name}-letters{suffix}", chance=self._chance)
        queue = kind(f"{name}{suffix}", dead_letter_queue=letters, chance=self._chance, **settings)
        if isinstance(queue, StandardQueue):
            queue.again = self._again
        for each in (letters, queue):
            self._queues[each.name] = each
            self._arrivals[each.name] = asyncio.Event()
        self._queues[name] = queue
        return {"url": f"{self._url}/{queue.name}", "letters": f"{self._url}/{letters.name}"}

    def _send_all(self, queue: Queue, messages: Iterable[dict[str, Any]]) -> dict[str, Any]:
        ids = [queue.send(**message).id for message in messages]
        self._notify(queue)
        return {"ids": ids}

    def _redrive(self, queue: Queue) -> dict[str, Any]:
        letters = queue.dead_letter_queue
        assert letters
        moved = [message for message in letters.messages.values() if not message.gone]
        for letter in moved:
            letter.moved_at = time.monotonic()
            queue.send(
                letter.body,
                attributes=letter.attributes,
                group=letter.group,
                deduplication_id=f"redriven-{letter.id}" if letter.group else None,
                by="redrive",
            )
        self._notify(queue)
        return {"moved": len(moved)}

    def _begin(self, **outage: Any) -> dict[str, Any]:
        begun = self._weather.begin(**outage)
        if begun.kind == "refuse" and not begun.operations:
            self._doors[begun.service].shut()
            task = asyncio.create_task(self._open_again(begun))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return {"ends": begun.ends}

    async def _open_again(self, outage: Outage) -> None:
        await self._hang(outage)
        if not self._weather.now(outage.service, "") or self._weather.now(outage.service, "").kind != "refuse":  # type: ignore[union-attr]
            await self._doors[outage.service].open()


def _socket(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made


def _sent(message: Message) -> dict[str, Any]:
    numbered = {"SequenceNumber": f"{message.number:020}"} if message.group else {}
    return {"MessageId": message.id, "MD5OfMessageBody": md5(message.body), **numbered}


def _delivered(message: Message, asked: dict[str, Any]) -> dict[str, Any]:
    system = {
        "ApproximateReceiveCount": str(len(message.deliveries)),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_epoch * 1000)),
        "SentTimestamp": str(int(message.sent_epoch * 1000)),
        "SenderId": ACCOUNT,
    }
    if message.group:
        system |= {
            "MessageGroupId": message.group,
            "MessageDeduplicationId": str(message.deduplication_id),
            "SequenceNumber": f"{message.number:020}",
        }
    names = {*asked.get("MessageSystemAttributeNames", ()), *asked.get("AttributeNames", ())}
    delivery: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": md5(message.body),
    }
    if told := {name: value for name, value in system.items() if names & {name, "All"}}:
        delivery["Attributes"] = told
    if message.attributes and asked.get("MessageAttributeNames"):
        delivery["MessageAttributes"] = message.attributes
    return delivery


async def _main(options: dict[str, Any]) -> None:
    server = ChaosServer(**options)
    print(*await server.open(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # at once, whatever polls are open


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.server", description=__doc__)
    parser.add_argument("--options", type=json.loads, required=True, help="what ChaosServer takes, as JSON")
    asyncio.run(_main(parser.parse_args().options))

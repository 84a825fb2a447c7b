"""SQS and DynamoDB on loopback, as far as queue workers need them, counting every request.

    python -m tests.doubles.aws_server [--latency-milliseconds 8]

prints its port and serves until its standard input ends, so that it never outlives the benchmark. Counts made here are
the same on every machine. They are a floor and no forecast, because this queue is kinder than the real one:

* It gives ten messages whenever it has ten. SQS asks a sample of its servers, and often returns fewer.
* Its messages are where the poll is, and in order. SQS's standard queues promise neither.
* A request takes a fixed time, 8 milliseconds unless told otherwise: a guess at a Region's network. There is no TLS.
* It knows at once that a client has hung up during a long poll, and keeps the message. SQS may lose it to the dead
  connection until the visibility timeout (https://github.com/celery/kombu/issues/1819).
* It never throttles, never fails and never delivers twice by itself.

It takes 0.2 to 0.4 milliseconds of CPU per request, a tenth of a core at the highest rate measured here.

Only the JSON protocol is spoken, which botocore and the JavaScript SDK have used since 2023. The control interface,
for the benchmark alone: POST /queues/NAME makes a queue and NAME-dead-letters beside it, POST /queues/NAME/messages
sends messages (paced with `per_second`), GET on both reads counters and messages, GET /tables/NAME reads write units.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.doubles.counting_dynamodb import ConditionFailedError, Table
from tests.doubles.counting_sqs import Message, Queue

HOST = "127.0.0.1"
ACCOUNT = "000000000000"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *(\w+)\.(\w+)", re.IGNORECASE)
_SIGNER = re.compile(rb"\r\nauthorization: *\S+ credential=([^/\s]+)/", re.IGNORECASE)


class Request(NamedTuple):
    """One request. `gone` tells whether the client still listens; `by` is the access key that signed it."""

    method: str
    path: str
    service: str
    action: str
    body: Any
    gone: Callable[[], bool]
    by: str = ""


class ServiceError(Exception):
    """What a service answers instead: the error's code and a sentence."""

    def __init__(self, code: str, sentence: str, **fields: Any) -> None:
        super().__init__(sentence)
        self.code = code
        self.fields = fields


@dataclass(kw_only=True)
class Place:
    """A queue, and the signal that it has something to give."""

    queue: Queue
    changed: asyncio.Event

    def notify(self) -> None:
        """Wake the polls that wait now."""
        self.changed.set()
        self.changed = asyncio.Event()


class Server:
    """All queues and tables of one run."""

    def __init__(self, *, latency: float) -> None:
        self._latency = latency
        self._url = ""
        self._places: dict[str, Place] = {}
        self._tables: dict[str, Table] = {}
        self._feeds: set[asyncio.Task[None]] = set()
        self._answered = 0
        self._actions: dict[str, Callable[[Place, Any], dict[str, Any]]] = {
            "ChangeMessageVisibility": self._change_visibility,
            "ChangeMessageVisibilityBatch": self._change_visibility_batch,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "GetQueueAttributes": self._attributes,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
        }

    async def start(self) -> int:
        """Listen on a free port of loopback; returns it."""
        server = await asyncio.start_server(self._serve, HOST, 0)
        port: int = server.sockets[0].getsockname()[1]
        self._url = f"http://{HOST}:{port}/{ACCOUNT}"
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await _read(reader)
                status, answer = await self._answer(request)
                if request.service:
                    await asyncio.sleep(self._latency)
                _write(writer, status, answer)
                await writer.drain()

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        self._answered += 1
        try:
            if not request.service:
                return 200, self._control(request)
            if request.service == "AmazonSQS":
                return 200, await self._sqs(request)
            return 200, self._dynamodb(request)
        except ServiceError as error:
            return 400, {"__type": f"aws#{error.code}", "message": str(error), **error.fields}

    # SQS

    async def _sqs(self, request: Request) -> dict[str, Any]:
        action, asked = request.action, request.body
        if action == "GetQueueUrl":
            return {"QueueUrl": f"{self._url}/{self._place(asked['QueueName']).queue.name}"}
        place = self._place(asked["QueueUrl"].rpartition("/")[2])
        place.queue.count(action)
        if action == "ReceiveMessage":
            return await self._receive(place, request)
        if action not in self._actions:
            raise ServiceError("InvalidAction", f"This queue does not know {action}.")
        return self._actions[action](place, asked)

    async def _receive(self, place: Place, request: Request) -> dict[str, Any]:
        queue, asked = place.queue, request.body
        until = time.monotonic() + asked.get("WaitTimeSeconds", 0)
        queue.open_polls += 1
        try:
            while not (messages := self._take(queue, request)):
                now = time.monotonic()
                if now >= until or request.gone():
                    break
                await _wait(place.changed, min(until, queue.next_visible_at() or until) - now)
        finally:
            queue.open_polls -= 1
        queue.count("ReceiveMessage", entries=len(messages), payload=sum(message.bytes for message in messages))
        return {"Messages": [_delivery(message, asked) for message in messages]} if messages else {}

    def _take(self, queue: Queue, request: Request) -> list[Message]:
        if request.gone():
            return []
        return queue.receive(
            request.body.get("MaxNumberOfMessages", 1), visibility=request.body.get("VisibilityTimeout")
        )

    def _delete(self, place: Place, asked: Any) -> dict[str, Any]:
        place.queue.count("DeleteMessage", entries=1)
        place.queue.delete(asked["ReceiptHandle"])
        return {}

    def _delete_batch(self, place: Place, asked: Any) -> dict[str, Any]:
        entries = _entries(asked)
        place.queue.count("DeleteMessageBatch", entries=len(entries))
        for entry in entries:
            place.queue.delete(entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}

    def _change_visibility(self, place: Place, asked: Any) -> dict[str, Any]:
        place.queue.count("ChangeMessageVisibility", entries=1)
        if code := place.queue.set_visibility(asked["ReceiptHandle"], asked["VisibilityTimeout"]):
            raise ServiceError(code, "The message is not in flight.")
        place.notify()
        return {}

    def _change_visibility_batch(self, place: Place, asked: Any) -> dict[str, Any]:
        entries = _entries(asked)
        place.queue.count("ChangeMessageVisibilityBatch", entries=len(entries))
        codes = {
            entry["Id"]: place.queue.set_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            for entry in entries
        }
        place.notify()
        return {
            "Successful": [{"Id": entry} for entry, code in codes.items() if code is None],
            "Failed": [{"Id": entry, "Code": code, "SenderFault": True} for entry, code in codes.items() if code],
        }

    def _send(self, place: Place, asked: Any) -> dict[str, Any]:
        message = place.queue.send(asked["MessageBody"], asked.get("MessageAttributes"))
        place.queue.count("SendMessage", entries=1, payload=message.bytes)
        place.notify()
        return {"MessageId": message.id, "MD5OfMessageBody": message.md5}

    def _send_batch(self, place: Place, asked: Any) -> dict[str, Any]:
        sent = {
            entry["Id"]: place.queue.send(entry["MessageBody"], entry.get("MessageAttributes"))
            for entry in _entries(asked)
        }
        payload = sum(message.bytes for message in sent.values())
        place.queue.count("SendMessageBatch", entries=len(sent), payload=payload)
        place.notify()
        answers = [{"Id": entry, "MessageId": each.id, "MD5OfMessageBody": each.md5} for entry, each in sent.items()]
        return {"Successful": answers, "Failed": []}

    def _attributes(self, place: Place, _asked: Any) -> dict[str, Any]:
        place.queue.count("GetQueueAttributes", entries=1)
        counters = place.queue.counters()
        return {
            "Attributes": {
                "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{place.queue.name}",
                "VisibilityTimeout": str(int(place.queue.visibility_timeout)),
                "ApproximateNumberOfMessages": str(counters["visible"]),
                "ApproximateNumberOfMessagesNotVisible": str(counters["hidden"]),
            }
        }

    def _place(self, name: str) -> Place:
        if name not in self._places:
            raise ServiceError("QueueDoesNotExist", f"There is no queue {name}; make it with POST /queues/{name}.")
        return self._places[name]

    # DynamoDB

    def _dynamodb(self, request: Request) -> dict[str, Any]:
        table = self._tables.setdefault(request.body["TableName"], Table())
        if request.action == "GetItem":
            item = table.get(request.body)
            return {"Item": item} if item else {}
        if request.action != "UpdateItem":
            raise ServiceError("UnknownOperationException", f"This table does not know {request.action}.")
        try:
            return {"Attributes": table.update(request.body)}
        except ConditionFailedError as error:
            raise ServiceError("ConditionalCheckFailedException", str(error), Item=error.item) from None

    # Control

    def _control(self, request: Request) -> dict[str, Any]:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["queues", name]:
                self._make(name, **request.body)
                return {"url": f"{self._url}/{name}"}
            case "GET", ["queues", name]:
                return self._place(name).queue.counters()
            case "POST", ["queues", name, "messages"]:
                return self._fill(self._place(name), **request.body)
            case "GET", ["queues", name, "messages"]:
                return {"messages": [_story(message) for message in self._place(name).queue.messages.values()]}
            case "GET", ["tables", name]:
                table = self._tables.get(name, Table())
                return {"requests": table.requests, "write_units": table.write_units}
            case "GET", ["server"]:
                return {"requests": self._answered, "cpu_seconds": time.process_time()}
            case _:
                raise ServiceError("NotFound", f"There is no {request.method} {request.path}.")

    def _make(self, name: str, **settings: Any) -> None:
        letters = Queue(f"{name}-dead-letters")
        for queue in (letters, Queue(name, dead_letter_queue=letters, **settings)):
            self._places[queue.name] = Place(queue=queue, changed=asyncio.Event())

    def _fill(
        self, place: Place, *, messages: list[dict[str, Any]], per_second: float | None = None
    ) -> dict[str, list[str]]:
        if per_second is None:
            sent = [place.queue.send(message["body"], message.get("attributes")) for message in messages]
            place.notify()
            return {"ids": [message.id for message in sent]}
        feed = asyncio.create_task(self._feed(place, messages, per_second))
        self._feeds.add(feed)
        feed.add_done_callback(self._feeds.discard)
        return {"ids": []}

    async def _feed(self, place: Place, messages: list[dict[str, Any]], per_second: float) -> None:
        begun = time.monotonic()
        for index, message in enumerate(messages):
            # Times are reckoned from the beginning: what one message is late does not delay the others.
            await asyncio.sleep(begun + index / per_second - time.monotonic())
            place.queue.send(message["body"], message.get("attributes"))
            place.notify()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    method, path, _ = head.split(b" ", 2)
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    target, signer = _TARGET.search(head), _SIGNER.search(head)
    # A body in the old query protocol is not JSON; such a request is refused by its path.
    is_json = target is not None or path.startswith(b"/queues")
    return Request(
        method=method.decode(),
        path=path.decode(),
        service=target[1].decode().partition("_")[0] if target else "",
        action=target[2].decode() if target else "",
        body=json.loads(body) if body and is_json else {},
        gone=lambda: reader.at_eof() or reader.exception() is not None,
        by=signer[1].decode() if signer else "",
    )


def _write(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), max(0.0, seconds))


def _entries(asked: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = asked["Entries"]
    if not entries:
        raise ServiceError("EmptyBatchRequest", "The batch has no entries.")
    if len(entries) > 10:
        raise ServiceError("TooManyEntriesInBatchRequest", f"The batch has {len(entries)} entries; ten are allowed.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise ServiceError("BatchEntryIdsNotDistinct", "Two entries of the batch have one Id.")
    return entries


def _delivery(message: Message, asked: Any) -> dict[str, Any]:
    system = {
        "ApproximateReceiveCount": str(message.deliveries),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "SenderId": ACCOUNT,
    }
    names = {*asked.get("MessageSystemAttributeNames", ()), *asked.get("AttributeNames", ())}
    delivery: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": message.md5,
    }
    if told := {name: value for name, value in system.items() if names & {name, "All"}}:
        delivery["Attributes"] = told
    if message.attributes and asked.get("MessageAttributeNames"):
        delivery["MessageAttributes"] = message.attributes
    return delivery


def _story(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "body": message.body,
        "attributes": message.attributes,
        "deliveries": message.deliveries,
        "deleted": message.deleted,
    }


async def _main(latency: float) -> None:
    server = Server(latency=latency)
    print(await server.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # at once, whatever polls are open


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.aws_server", description=__doc__)
    parser.add_argument("--latency-milliseconds", type=float, default=8, help="what each request takes (default: 8)")
    asyncio.run(_main(parser.parse_args().latency_milliseconds / 1000))

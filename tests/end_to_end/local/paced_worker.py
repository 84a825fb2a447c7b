"""A worker's program for minutes that end by hand: it handles as many messages as its foreman lets it in a minute.

    python paced_worker.py <foreman's port> <seconds of work per message>

It talks to its queue, to its foreman and to the log, as what it stands in for talks to queue and log.
"""

import json
import os
import signal
import socket
import sys
import urllib.request
from typing import Any

from fargate_workers_runtime.telemetry.metrics import Metrics


def ask(action: str, **request: object) -> dict[str, Any]:
    """SQS, without the seconds that an SDK takes to start."""
    body = json.dumps({"QueueUrl": os.environ["QUEUE_URL"], **request}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
    with urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)) as answer:
        return json.load(answer) if answer.headers.get("Content-Length") != "0" else {}


class PacedWorker:
    """Has one message in hand from one minute to the next while there is work, as a busy worker has."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._metrics = Metrics(os.environ["WORKER_NAME"], write=lambda line: print(line, flush=True))
        self._held: list[str] = []

    def work(self, messages: int) -> int:
        """Handles up to so many messages; how many it were."""
        missing = messages + 1 - len(self._held)
        received = ask("ReceiveMessage", MaxNumberOfMessages=missing, WaitTimeSeconds=0).get("Messages", [])
        self._held += [message["ReceiptHandle"] for message in received]
        done, self._held = self._held[:messages], self._held[messages:]
        if done:
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(done)]
            ask("DeleteMessageBatch", Entries=entries)
        for _ in done:
            self._metrics.count("MessagesHandled")
            self._metrics.worked(self._seconds)
        self._metrics.flush()
        return len(done)

    def hand_back(self) -> None:
        for handle in self._held:
            ask("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=0)


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    worker = PacedWorker(seconds=seconds)
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rw") as foreman:
        try:
            print(os.environ["WORKER_NAME"], file=foreman, flush=True)
            for line in foreman:
                print(worker.work(int(line)), file=foreman, flush=True)
        finally:
            worker.hand_back()


if __name__ == "__main__":
    main()

"""One execution environment: it handles the event on standard input, prints the answer, and dies where a message asks.

Environment: EFFECTS, a file that gets a line for each effect; DIE, whether a message may end the process.
"""

import json
import logging
import os
import sys
import threading
from pathlib import Path

from fargate_workers_runtime import Message, lambda_handler
from tests.doubles.event_source import Context

recorded = threading.Semaphore(0)


class Recorded(logging.Handler):
    """Counts the effects that are recorded."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "handled":
            recorded.release()


def handle(message: Message) -> None:
    order = message.body["id"]
    if order == "deadly" and os.environ.get("DIE"):
        for _ in range(2):
            assert recorded.acquire(timeout=30)
        os._exit(137)
    with Path(os.environ["EFFECTS"]).open("a", encoding="utf-8") as effects:
        effects.write(f"{order}\n")


handler = lambda_handler(handle, idempotency_key="/id")

if __name__ == "__main__":
    logging.getLogger("fargate_workers_runtime").addHandler(Recorded())
    event, timeout = json.load(sys.stdin), float(sys.argv[1])
    print("answer", json.dumps(handler(event, Context(timeout))), flush=True)

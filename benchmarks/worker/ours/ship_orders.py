"""A worker as a user writes it. The effect takes HANDLER_MILLISECONDS; EFFECTS_FILE, if set, gets a line for each."""

import os
import time

from benchmarks.worker.orders import ORDER_SCHEMA
from fargate_workers_runtime import Message, run

SECONDS = float(os.environ.get("HANDLER_MILLISECONDS", "10")) / 1000
EFFECTS = os.environ.get("EFFECTS_FILE")
_effects = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if EFFECTS else None


def handle(message: Message) -> None:
    begun = time.monotonic()
    if SECONDS:
        time.sleep(SECONDS)
    if _effects is not None:
        os.write(_effects, f"{message.idempotency_key} {begun}\n".encode())


if __name__ == "__main__":
    run(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")

"""The loop by hand, by LOOP.

each: message by message, each committed before the next.
rare: message by message, committed as rarely as by our worker, each 1,000 messages and each second. It is the loop with
our worker's promise: what is handled and not committed when the process dies, is handled again.
batches: 500 messages at a time, committed once a second; the loosest loop with that promise.
"""

import json
import os
import time
from typing import Any

from confluent_kafka import Consumer, Message
from counting import Counting

count = Counting()
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        "group.id": os.environ["KAFKA_GROUP"],
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 2000,
        "heartbeat.interval.ms": 300,
    }
)
consumer.subscribe([os.environ["KAFKA_TOPIC"]])


def handle(message: Message) -> None:
    value: Any = message.value()
    count(json.loads(value))


loop = os.environ["LOOP"]
committed_at, handled = time.monotonic(), 0
while True:
    if loop == "batches":
        messages = consumer.consume(500, 0.1)
    else:
        message = consumer.poll(1)
        messages = [] if message is None else [message]
    for each in messages:
        handle(each)
    handled += len(messages)
    if loop == "each" and messages:
        consumer.commit(message=messages[-1], asynchronous=False)
    elif handled and (time.monotonic() - committed_at > 1 or (handled >= 1_000 and loop == "rare")):
        committed_at, handled = time.monotonic(), 0
        consumer.commit(asynchronous=True)

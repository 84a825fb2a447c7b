"""The loop by hand. BATCHES=1: in batches, with a commit a second; else message by message, each committed."""

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


committed_at = time.monotonic()
while os.environ.get("BATCHES"):
    for each in consumer.consume(500, 0.1):
        handle(each)
    if time.monotonic() - committed_at > 1:
        committed_at = time.monotonic()
        consumer.commit(asynchronous=True)
while True:
    if (message := consumer.poll(1)) is not None:
        handle(message)
        consumer.commit(message=message, asynchronous=False)

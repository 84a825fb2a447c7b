"""FastStream's worker, as its documentation starts it: with its own policy, and with a commit after each message."""

import asyncio
import os
from typing import Any

from counting import Counting
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker

broker = KafkaBroker(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
app = FastStream(broker)
count = Counting()
policy = {"ack_policy": AckPolicy.NACK_ON_ERROR} if os.environ.get("COMMITS") else {}


@broker.subscriber(
    os.environ["KAFKA_TOPIC"],
    group_id=os.environ["KAFKA_GROUP"],
    auto_offset_reset="earliest",
    session_timeout_ms=2000,
    heartbeat_interval_ms=300,
    **policy,
)
async def handle(body: dict[str, Any]) -> None:
    count(body)


asyncio.run(app.run())

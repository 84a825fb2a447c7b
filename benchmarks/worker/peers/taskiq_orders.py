"""The same work for taskiq, with taskiq-aio-sqs."""

import asyncio
import os
import sys

from taskiq_aio_sqs import SQSBroker

from benchmarks.worker.orders import order

SECONDS = float(os.environ["HANDLER_MILLISECONDS"]) / 1000

broker = SQSBroker(
    os.environ["QUEUE_NAME"],
    endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    region_name=os.environ["AWS_REGION"],
    aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    max_number_of_messages=10,
    wait_time_seconds=20,
    visibility_timeout=120,
)


@broker.task(task_name="ship")
async def ship(_order: dict[str, object]) -> None:
    if SECONDS:
        await asyncio.sleep(SECONDS)


async def _send(many: int) -> None:
    await broker.startup()
    for number in range(many):
        await ship.kiq(order(number))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_send(int(sys.argv[1])))

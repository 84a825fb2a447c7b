"""The same work for taskiq, with taskiq-redis on a stream, which acknowledges what has been handled."""

import asyncio
import os
import sys

from counting import handled
from orders import order
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=f"redis://127.0.0.1:{os.environ['BROKER_REDIS_PORT']}", xread_count=100)


@broker.task(task_name="ship")
async def ship(_order: dict[str, object]) -> None:
    handled()


async def _send(many: int) -> None:
    await broker.startup()
    for start in range(0, many, 100):
        await asyncio.gather(*(ship.kiq(order(number)) for number in range(start, start + 100)))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_send(int(sys.argv[1])))

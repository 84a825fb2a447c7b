"""The same work for arq, which asks as often and takes as many at a time as it can be told to."""

import asyncio
import os
import sys

from arq import create_pool
from arq.connections import RedisSettings
from counting import handled
from orders import order

SERVER = RedisSettings(host="127.0.0.1", port=int(os.environ["BROKER_REDIS_PORT"]))


async def ship(_context: dict[str, object], _order: dict[str, object]) -> None:
    handled()


class WorkerSettings:
    functions = [ship]
    redis_settings = SERVER
    max_jobs = 100
    poll_delay = 0.01
    keep_result = 0


async def _send(many: int) -> None:
    pool = await create_pool(SERVER)
    for start in range(0, many, 100):
        await asyncio.gather(*(pool.enqueue_job("ship", order(number)) for number in range(start, start + 100)))


if __name__ == "__main__":
    asyncio.run(_send(int(sys.argv[1])))

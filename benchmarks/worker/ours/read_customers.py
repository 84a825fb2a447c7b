"""Ten readers of one key at the same time; prints how often they loaded it.

Prints `ready` and waits for a line, so that several of these begin together. With `--leave-a-copy` it reads the key
once, waits until that copy has expired, and ends.
"""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from fargate_workers_runtime import ReadThroughCache, connect_redis

READERS = 10
KEY = "c-1"

_loads: list[str] = []


def load(key: str) -> dict[str, str]:
    _loads.append(key)
    time.sleep(0.2)  # long enough for every other reader to find the key missing
    return {"id": key}


def customers(*, seconds: float) -> ReadThroughCache[dict[str, str]]:
    return ReadThroughCache(connect_redis(os.environ), name="customers", load=load, seconds=seconds, stale_seconds=0)


def read_together() -> None:
    cache = customers(seconds=60)
    together = threading.Barrier(READERS)

    def read(_: int) -> None:
        together.wait()
        assert cache.get(KEY) == {"id": KEY}

    print("ready", flush=True)
    input()
    with ThreadPoolExecutor(READERS) as readers:
        list(readers.map(read, range(READERS)))
    print(len(_loads), flush=True)


def leave_a_copy() -> None:
    customers(seconds=0.1).get(KEY)
    time.sleep(0.2)


if __name__ == "__main__":
    leave_a_copy() if "--leave-a-copy" in sys.argv else read_together()

"""One of several processes whose threads read one key through the cache; it prints what they got.

Arguments: the server's port, the cache's name, and threads. A load takes until the key `go` is there, and is counted.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import redis

from fargate_workers_runtime.redis.read_through_cache import ReadThroughCache

port, name, threads = sys.argv[1:]
client = redis.Redis(port=int(port), decode_responses=True)


def load(key: str) -> int:
    loads = client.incr(f"{name}-loads")
    while not client.exists(f"{name}-go"):
        time.sleep(0.005)
    return loads


cache = ReadThroughCache(client, name=name, load=load, seconds=60, load_seconds=90)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(int(threads)) as pool:
    reading = [pool.submit(cache.get, "key") for _ in range(int(threads))]
    client.incr(f"{name}-reading", len(reading))
    print(json.dumps([read.result() for read in reading]))

"""One of several processes that begin as much as a shared bucket lets them; it prints when each began.

Arguments: the server's port, the bucket's name, rate, burst, threads, and the seconds to go on.
"""

import json
import sys
import threading
import time

import redis

from fargate_workers_runtime.redis.token_bucket import TokenBucket

port, name, rate, burst, threads, seconds = sys.argv[1:]
stopping = threading.Event()
began: list[float] = []
bucket = TokenBucket(redis.Redis(port=int(port), decode_responses=True), name, rate=float(rate), burst=float(burst))


def work() -> None:
    while bucket.take(stopping=stopping):
        began.append(time.time())


print("ready", flush=True)
sys.stdin.readline()
working = [threading.Thread(target=work) for _ in range(int(threads))]
for thread in working:
    thread.start()
stopping.wait(float(seconds))
stopping.set()
for thread in working:
    thread.join()
bucket.close()
print(json.dumps(began))

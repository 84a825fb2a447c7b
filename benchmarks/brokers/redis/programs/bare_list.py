"""A loop without a worker: it moves messages to a list of its own, parses each, and removes each, or ten at once.

A message that this loop had when it died is in its own list, where a person or another program finds it.
"""

import json
import os

import redis
from counting import handled

client = redis.Redis(host="127.0.0.1", port=int(os.environ["BROKER_REDIS_PORT"]), protocol=2)
name, mine = os.environ["LIST_NAME"], os.environ["LIST_NAME"] + ":bare"
many = 10 if os.environ.get("ACKNOWLEDGE") == "at once" else 1
while True:
    with client.pipeline(transaction=False) as moves:
        for _ in range(many):
            moves.lmove(name, mine, "RIGHT", "LEFT")
        taken = [each for each in moves.execute() if each is not None]
    for each in taken:
        json.loads(each)
        handled()
    with client.pipeline(transaction=False) as removals:
        for each in taken:
            removals.lrem(mine, -1, each)
        removals.execute()

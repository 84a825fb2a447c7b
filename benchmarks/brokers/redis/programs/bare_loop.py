"""A loop without a worker: it reads ten entries, parses each, and acknowledges each, or the ten at once."""

import json
import os

import redis
from counting import handled

client = redis.Redis(host="127.0.0.1", port=int(os.environ["BROKER_REDIS_PORT"]), protocol=2)
stream, group = os.environ["STREAM_NAME"], os.environ["STREAM_GROUP"]
at_once = os.environ.get("ACKNOWLEDGE") == "at once"
client.xgroup_create(stream, group, id="0", mkstream=True)
while True:
    for _, entries in client.xreadgroup(group, "bare", {stream: ">"}, count=10, block=1_000) or []:
        for name, fields in entries:
            json.loads(fields[b"body"])
            handled()
            if not at_once:
                client.xack(stream, group, name)
        if at_once:
            client.xack(stream, group, *[name for name, _ in entries])

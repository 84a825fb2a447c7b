"""The same work for dramatiq, with dramatiq-sqs."""

import os
import sys
import time

import dramatiq
from dramatiq_sqs import SQSBroker

from benchmarks.worker.orders import order

SECONDS = float(os.environ["HANDLER_MILLISECONDS"]) / 1000

dramatiq.set_broker(SQSBroker(endpoint_url=os.environ["AWS_ENDPOINT_URL"], visibility_timeout=120))


@dramatiq.actor(queue_name=os.environ["QUEUE_NAME"])
def ship(_order: dict[str, object]) -> None:
    if SECONDS:
        time.sleep(SECONDS)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        ship.send(order(number))

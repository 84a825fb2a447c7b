"""The same work for Celery: acknowledged after the task, as a worker must that may be killed."""

import os
import sys
import time
from urllib.parse import urlsplit

from celery import Celery

from benchmarks.worker.orders import order

SECONDS = float(os.environ["HANDLER_MILLISECONDS"]) / 1000
_endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])

app = Celery("celery_orders", broker=f"sqs://testing:testing@{_endpoint.hostname}:{_endpoint.port}//")
app.conf.update(
    broker_transport_options={
        "is_secure": False,
        "region": os.environ["AWS_REGION"],
        "wait_time_seconds": 20,
        "visibility_timeout": 120,
        "predefined_queues": {os.environ["QUEUE_NAME"]: {"url": os.environ["QUEUE_URL"]}},
    },
    task_default_queue=os.environ["QUEUE_NAME"],
    task_acks_late=True,
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)


@app.task
def ship(_order: dict[str, object]) -> None:
    if SECONDS:
        time.sleep(SECONDS)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        ship.delay(order(number))

"""The same work for Celery: acknowledged after the task, as a worker must that may be killed."""

import os
import sys

from celery import Celery
from counting import handled
from orders import order

app = Celery("celery_orders", broker=f"redis://127.0.0.1:{os.environ['BROKER_REDIS_PORT']}/0")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)


@app.task
def ship(_order: dict[str, object]) -> None:
    handled()


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        ship.delay(order(number))

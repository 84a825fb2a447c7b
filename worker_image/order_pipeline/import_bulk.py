"""Run task: a large order file has arrived in S3; send its rows to the orders queue, streaming.

Environment: ORDERS_QUEUE_URL, OBJECT_BUCKET, OBJECT_KEY and the other OBJECT_ variables of an ObjectCreatedTask.
"""

import logging
import os
from typing import TYPE_CHECKING

from fargate_workers_runtime import Task, run_task
from fargate_workers_runtime.clients import s3_client, sqs_client
from fargate_workers_runtime.process import starting
from fargate_workers_runtime.settings import text
from order_pipeline.order_files import Superseded, read_rows
from order_pipeline.send_orders import OrderSender

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_log = logging.getLogger(__name__)


class ImportBulk:
    """Imports the object that the task was started for."""

    def __init__(self, s3: "S3Client", sender: OrderSender) -> None:
        self._s3 = s3
        self._sender = sender

    def handle(self, task: Task) -> None:
        created = task.object
        if created is None:
            raise ValueError("OBJECT_BUCKET is not set; start this task with an ObjectCreatedTask.")
        try:
            rows = read_rows(
                self._s3, bucket=created.bucket, key=created.key, version_id=created.version_id, etag=created.etag
            )
        except Superseded:
            _log.info("superseded")
            return
        self._sender.send(rows)


if __name__ == "__main__":
    with starting():
        sender = OrderSender(sqs_client(), text(os.environ, "ORDERS_QUEUE_URL"))
        importer = ImportBulk(s3_client(), sender)
    run_task(importer.handle)

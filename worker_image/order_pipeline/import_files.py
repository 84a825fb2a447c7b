"""Queue worker: a small order file has arrived in S3; send its rows to the orders queue.

Environment: ORDERS_QUEUE_URL, and the runtime's own. Messages: EventBridge events "Object Created" of Amazon S3.
"""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime import Message, run
from fargate_workers_runtime.clients import s3_client, sqs_client
from fargate_workers_runtime.process import starting
from fargate_workers_runtime.settings import text
from order_pipeline.order_files import Superseded, read_rows
from order_pipeline.send_orders import OrderSender

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_log = logging.getLogger(__name__)

#: What an event must contain (its `detail`); more may come, S3 adds fields now and then.
EVENT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "bucket": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "object": {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]},
    },
    "required": ["bucket", "object"],
}


def file_version(message: Message) -> str:
    """The idempotency key: this version of this object. An upload of the same file again is a new one."""
    created = message.body["object"]
    version = created.get("version-id") or created.get("sequencer") or created.get("etag", "")
    return f"{message.body['bucket']['name']}/{created['key']}/{version}"


class ImportFiles:
    """Handles one event: reads the object, sends its rows."""

    def __init__(self, s3: "S3Client", sender: OrderSender) -> None:
        self._s3 = s3
        self._sender = sender

    def handle(self, message: Message) -> None:
        created = message.body["object"]
        try:
            rows = read_rows(
                self._s3,
                bucket=message.body["bucket"]["name"],
                key=created["key"],  # as it is: unlike S3's own notifications, EventBridge does not encode it
                version_id=created.get("version-id") or None,
                etag=created.get("etag", ""),
            )
        except Superseded:
            _log.info("superseded")
            return
        self._sender.send(rows)


if __name__ == "__main__":
    with starting():
        sender = OrderSender(sqs_client(), text(os.environ, "ORDERS_QUEUE_URL"))
        worker = ImportFiles(s3_client(), sender)
    run(worker.handle, schema=EVENT_SCHEMA, idempotency_key=file_version)

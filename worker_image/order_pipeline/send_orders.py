"""Rows to messages on the orders queue: ten a request, failed entries again."""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fargate_workers_runtime import PoisonMessage
from fargate_workers_runtime.brokers.sqs import MAX_BATCH_BYTES, batches
from fargate_workers_runtime.pipeline import full_jitter
from order_pipeline.order_files import order_message

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

_log = logging.getLogger(__name__)

#: Sends of one entry before the file is left for a later delivery.
_TRIES = 5


class OrderSender:
    """Sends order rows to the queue `url`.

    Sending a file twice sends the same orders twice, and nothing worse: the worker behind the queue claims each order's
    id, so a crash halfway, a redelivery and a second upload all end in one effect an order.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, rows: Iterable[dict[str, str]]) -> int:
        """Send every row; returns how many.

        Raises:
            PoisonMessage: A row is larger than SQS carries. Those before it are sent.
        """
        sent = 0
        for batch in batches(map(order_message, rows), size_of=len):  # json.dumps writes ASCII: characters are bytes
            if len(batch[0]) > MAX_BATCH_BYTES:
                raise PoisonMessage("row too large", detail=f"row {sent + 1} has {len(batch[0])} bytes")
            self._send_batch(batch)
            sent += len(batch)
        _log.info("rows_sent", extra={"fields": {"rows": sent}})
        return sent

    def _send_batch(self, messages: list[str]) -> None:
        pending: dict[str, Entry] = {
            str(index): {"Id": str(index), "MessageBody": body} for index, body in enumerate(messages)
        }
        for attempt in range(1, _TRIES + 1):
            failed = self._client.send_message_batch(QueueUrl=self._url, Entries=list(pending.values())).get(
                "Failed", []
            )
            if not failed:
                return
            pending = {entry["Id"]: pending[entry["Id"]] for entry in failed}
            if any(entry["SenderFault"] for entry in failed):
                break
            time.sleep(full_jitter(attempt, base=0.1, cap=2))
        raise RuntimeError(f"{len(pending)} of {len(messages)} rows could not be sent.")

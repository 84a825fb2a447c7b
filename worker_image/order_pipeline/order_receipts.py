"""Queue worker or function: write a receipt for each order, once.

Environment: RECEIPTS_TABLE_NAME, and the runtime's own.
"""

import os
from functools import cache
from typing import TYPE_CHECKING

from fargate_workers_runtime import Message, lambda_handler, run
from order_pipeline.orders import ORDER_SCHEMA, Order

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@cache
def table() -> "tuple[DynamoDBClient, str]":
    """The client and the name of the table of receipts, when the first order comes."""
    from fargate_workers_runtime.clients import dynamodb_client  # noqa: PLC0415  loads botocore
    from fargate_workers_runtime.settings import text  # noqa: PLC0415

    return dynamodb_client(), text(os.environ, "RECEIPTS_TABLE_NAME")


def write_receipt(message: Message) -> None:
    """Write the receipt of an order. A second write of one order changes nothing."""
    order = Order.from_body(message.body)
    dynamodb, name = table()
    dynamodb.put_item(
        TableName=name,
        Item={"order_id": {"S": order.order_id}, "amount_cents": {"N": str(order.amount_cents)}},
    )


handler = lambda_handler(write_receipt, schema=ORDER_SCHEMA, idempotency_key="/order_id")

if __name__ == "__main__":
    run(write_receipt, schema=ORDER_SCHEMA, idempotency_key="/order_id")

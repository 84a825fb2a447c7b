"""Queue worker: apply each order once: to the orders table, then to the customer's totals.

Environment: ORDERS_TABLE_NAME, REDIS_..., and the runtime's own.
"""

import logging
import os
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from fargate_workers_runtime import Message, PoisonMessage, connect_redis, run
from fargate_workers_runtime.clients import dynamodb_client
from fargate_workers_runtime.process import starting
from fargate_workers_runtime.settings import number, text
from order_pipeline.orders import ORDER_SCHEMA, Order
from order_pipeline.read_model import ReadModel

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)


class ApplyOrders:
    """Handles one order.

    Both writes can be repeated, so an attempt that follows a crash between them simply does the rest: the claim keeps
    attempts apart, and these two make the last window, between an effect and the record of it, harmless.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str, read_model: ReadModel) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._read_model = read_model

    def handle(self, message: Message) -> None:
        order = Order.from_body(message.body)
        self.write(order)
        self._read_model.add(order)

    def write(self, order: Order) -> None:
        """Put an order into the table; the same order once more changes nothing.

        Raises:
            PoisonMessage: Another order has the id.
        """
        item = {
            "order_id": {"S": order.order_id},
            "customer_id": {"S": order.customer_id},
            "amount_cents": {"N": str(order.amount_cents)},
            "currency": {"S": order.currency},
            "note": {"S": order.note},
        }
        try:
            self._dynamodb.put_item(
                TableName=self._table_name,
                Item=item,
                ConditionExpression="attribute_not_exists(order_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            if error.response.get("Item") != item:
                raise PoisonMessage("order exists with other content", detail=order.order_id) from error
            _log.info("order_exists")  # an earlier attempt wrote it and went no further


if __name__ == "__main__":
    with starting():
        connections = number(os.environ, "CONCURRENCY", 10, 1, 1_000)
        dynamodb = dynamodb_client(connections=connections)
        read_model = ReadModel(connect_redis(os.environ))
        worker = ApplyOrders(dynamodb, text(os.environ, "ORDERS_TABLE_NAME"), read_model)
    run(worker.handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")

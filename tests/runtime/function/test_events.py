"""The records of an event as deliveries: what an order is, and what a tenant."""

import pytest

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.brokers.function.events import deliveries_of
from tests.doubles.event_source import event_of

ARN = "arn:aws:sqs:eu-west-1:111111111111:orders"


@pytest.mark.parametrize(("of_fifo", "expected"), [(True, ("ada", None)), (False, (None, "ada"))])
def test_a_message_group_is_an_order_of_a_fifo_queue_and_a_tenant_of_a_standard_one(
    of_fifo: bool, expected: tuple[str | None, str | None]
) -> None:
    event = event_of([Delivery(id="1", text="{}", token="r", group_id="ada")], arn=ARN)
    if not of_fifo:
        del event["Records"][0]["attributes"]["MessageDeduplicationId"]

    (delivery,) = deliveries_of(event, queue_name="orders")

    assert (delivery.group_id, delivery.tenant) == expected

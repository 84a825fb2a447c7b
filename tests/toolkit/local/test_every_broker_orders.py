"""The stream of orders that every queue system is fed with."""

from collections import Counter

from scenarios.every_broker.orders import MANY, TWICE_EVERY, sample_orders


def test_the_stream_repeats_some_orders_as_they_were_sent() -> None:
    orders = sample_orders()
    counts = Counter(order.order_id for order in orders)

    assert len(counts) == MANY
    assert len(orders) == MANY + MANY // TWICE_EVERY
    assert set(counts.values()) == {1, 2}
    assert len({(order.order_id, order.amount_cents) for order in orders}) == MANY


def test_every_order_is_valid_for_each_system() -> None:
    for order in sample_orders():
        assert order.body().keys() == {"order_id", "customer_id", "amount_cents", "currency"}
        assert order.amount_cents >= 1  # what a payment takes at least


def test_the_stream_is_the_same_in_every_run() -> None:
    assert sample_orders() == sample_orders()

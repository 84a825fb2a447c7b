"""The stream of orders: some are sent twice, as a producer's retry does."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MANY = 300
TWICE_EVERY = 10
CUSTOMERS = 12
SEED = 7


@dataclass(frozen=True, kw_only=True)
class Order:
    """A valid order.

    Args:
        order_id: Its business id.
        customer_id: The customer, whose orders some systems keep in sequence.
        amount_cents: The amount, in cents.
        currency: The currency.
    """

    order_id: str
    customer_id: str
    amount_cents: int
    currency: str = "EUR"

    def body(self) -> dict[str, object]:
        """The order as a message."""
        return asdict(self)


def sample_orders() -> Sequence[Order]:
    """The orders in the sequence in which they are sent; each tenth comes twice."""
    source = random.Random(SEED)  # noqa: S311
    orders = [
        Order(
            order_id=f"order-{number:04}",
            customer_id=f"customer-{number % CUSTOMERS}",
            amount_cents=source.randint(1, 100_000),
        )
        for number in range(MANY)
    ]
    return [*orders, *orders[::TWICE_EVERY]]

"""The read model: what each customer has ordered, in Redis.

customer:<customer_id>   a hash:  orders             how many orders
                                  total_cents        what they sum up to
                                  order:<order_id>   the amount of each order counted

HMGET customer:42 orders total_cents
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

    from order_pipeline.orders import Order

# An order is counted by the call that first writes its own field, and one script does both or nothing: a repeated call,
# be it a retry, a redelivery or a rebuild, finds the field and changes no total. One key, so that it runs on a cluster.
_ADD = """
if redis.call('HSETNX', KEYS[1], 'order:' .. ARGV[1], ARGV[2]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'orders', 1)
    redis.call('HINCRBY', KEYS[1], 'total_cents', ARGV[2])
    return 1
end
return 0
"""


class ReadModel:
    """Totals per customer, in a cache that evicts nothing (maxmemory-policy noeviction).

    What a failover loses is restored by adding the orders of the table again, all or some: those still counted do not
    count twice.
    """

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._script = client.register_script(_ADD)

    def add(self, order: "Order") -> bool:
        """Count `order`, once however often it is called; True if this call did."""
        return bool(self._script(keys=[_key(order.customer_id)], args=[order.order_id, order.amount_cents]))

    def totals(self, customer_id: str) -> tuple[int, int]:
        """How many orders the customer has, and their sum in cents."""
        found = self._client.hmget(_key(customer_id), ["orders", "total_cents"])
        orders, total_cents = (int(value or 0) for value in found)
        return orders, total_cents


def _key(customer_id: str) -> str:
    return f"customer:{customer_id}"

"""Queue worker: record each payment once, together with the customer's balance, in one SQL transaction.

Environment: DATABASE_..., and the runtime's own. The tables are in payments.sql.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime import Message, connect_postgres, run
from fargate_workers_runtime.process import starting

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

_ID = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}

PAYMENT_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "payment_id": _ID,
        "customer_id": _ID,
        "amount_cents": {"type": "integer", "minimum": 1, "maximum": 10**12},
    },
    "required": ["payment_id", "customer_id", "amount_cents"],
    "additionalProperties": False,
}

PAYMENT = b"INSERT INTO payments (payment_id, customer_id, amount_cents) VALUES (%s, %s, %s)"
# An amount cannot be added twice without harm, so that the claim must be in the same transaction.
BALANCE = b"""\
INSERT INTO balances (customer_id, amount_cents) VALUES (%s, %s)
ON CONFLICT (customer_id) DO UPDATE SET amount_cents = balances.amount_cents + excluded.amount_cents
"""


class RecordPayments:
    """Handles one payment.

    Args:
        pool: The connections to the database.
    """

    def __init__(self, pool: "ConnectionPool[Any]") -> None:
        self._pool = pool

    def handle(self, message: Message) -> None:
        """Write the payment and the balance; the pool commits both with the claim, or nothing."""
        payment = message.body
        customer, amount = payment["customer_id"], int(payment["amount_cents"])
        with self._pool.connection() as connection, message.effect_in(connection):
            connection.execute(PAYMENT, (payment["payment_id"], customer, amount))
            connection.execute(BALANCE, (customer, amount))


if __name__ == "__main__":
    with starting():
        worker = RecordPayments(connect_postgres(os.environ))
    run(worker.handle, schema=PAYMENT_SCHEMA, idempotency_key="/payment_id")

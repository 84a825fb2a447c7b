-- The tables of record_payments.py. The owner of the database runs it once, after `fargate-workers database schema`,
-- which makes the role `worker`; to run it again is harmless.

CREATE TABLE IF NOT EXISTS payments (
    payment_id   text PRIMARY KEY,
    customer_id  text NOT NULL,
    amount_cents bigint NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS balances (
    customer_id  text PRIMARY KEY,
    amount_cents bigint NOT NULL
);

GRANT INSERT ON payments TO worker;
GRANT SELECT, INSERT, UPDATE ON balances TO worker;

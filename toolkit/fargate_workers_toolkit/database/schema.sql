-- What a worker with CLAIM_STORE=postgres needs. Run it as the owner of the database; to run it again is harmless.

-- One row per scope (the worker's name) and idempotency key, committed together with the effect.
CREATE TABLE IF NOT EXISTS message_claims (
    scope        text        NOT NULL,
    key          text        NOT NULL,
    payload      text        NOT NULL,
    completed_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS message_claims_expires_at ON message_claims (expires_at);

-- One row per message that a transaction sends, until the relay has sent it.
CREATE TABLE IF NOT EXISTS message_outbox (
    position         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    queue_url        text        NOT NULL,
    body             text        NOT NULL,
    attributes       jsonb       NOT NULL DEFAULT '{}',
    group_id         text,
    deduplication_id text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    due_at           timestamptz NOT NULL DEFAULT now(),
    tries            integer     NOT NULL DEFAULT 0,
    parked_reason    text
);
CREATE INDEX IF NOT EXISTS message_outbox_waiting ON message_outbox (position) WHERE parked_reason IS NULL;
CREATE INDEX IF NOT EXISTS message_outbox_groups ON message_outbox (queue_url, group_id, position)
    WHERE group_id IS NOT NULL AND parked_reason IS NULL;

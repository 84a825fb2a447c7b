"""Keys that were kept for long enough are removed, by one worker at a time, a thousand at a time."""

import pytest

from fargate_workers_runtime.sql import PostgresEffects, effects
from tests.doubles.postgres_server import PostgresDatabase
from tests.runtime.sql.conftest import Pool

FILL = """
INSERT INTO message_claims (scope, key, payload, expires_at)
SELECT 'orders', n::text, '', now() + (n - 2500) * interval '1 second' FROM generate_series(1, 3000) AS n
"""


def left(database: PostgresDatabase) -> list[tuple[int, int]]:
    return database.execute("SELECT min(key::integer), count(*) FROM message_claims")


def test_expired_keys_go_and_others_stay(database: PostgresDatabase, effects: PostgresEffects) -> None:
    database.execute(FILL)
    assert 2499 <= effects.prune() <= 2550
    assert left(database)[0][0] >= 2500
    assert effects.prune() <= 10


def test_one_go_has_an_end(
    database: PostgresDatabase, effects: PostgresEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.sql.effects._MOST_STATEMENTS", 2)
    database.execute(FILL)
    assert effects.prune() == 2000


def test_only_one_worker_prunes(database: PostgresDatabase, pool: Pool, effects: PostgresEffects) -> None:
    database.execute(FILL)
    with database.connect() as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(),))
        assert effects.prune() == 0
    assert effects.prune() > 0


def test_the_scan_is_of_the_index(database: PostgresDatabase) -> None:
    database.execute(FILL)
    database.execute("ANALYZE message_claims")
    plan = database.execute("EXPLAIN " + effects.PRUNE.decode() % {"most": "1000"})
    assert "Index Scan using message_claims_expires_at" in "\n".join(line for (line,) in plan)


def _lock() -> int:
    return effects.PRUNING_LOCK

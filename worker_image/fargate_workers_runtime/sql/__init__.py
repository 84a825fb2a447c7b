"""PostgreSQL: claims and messages in the transaction of the effect. Loaded by workers that have them, and no others."""

from fargate_workers_runtime.sql import outbox
from fargate_workers_runtime.sql.connection import connect_postgres, connect_postgres_async
from fargate_workers_runtime.sql.effects import PostgresEffects
from fargate_workers_runtime.sql.postgres_settings import PostgresSettings
from fargate_workers_runtime.sql.relay import Relay
from fargate_workers_runtime.sql.schema import check_schema

__all__ = [
    "PostgresEffects",
    "PostgresSettings",
    "Relay",
    "check_schema",
    "connect_postgres",
    "connect_postgres_async",
    "outbox",
]

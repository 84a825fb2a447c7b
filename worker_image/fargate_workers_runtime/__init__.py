"""The loop inside a worker's container: receive, check, claim, handle, settle.

    from fargate_workers_runtime import Message, PoisonMessage, run

    def handle(message: Message) -> None:
        ship(message.body["order_id"])

    if __name__ == "__main__":
        run(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")

The promise: a message is delivered at least once, and its effect happens once per idempotency key, apart from one
window: a process that dies between the effect and the record of it runs the handler again. Make the effect repeatable,
and the window is harmless; or write it with `message.transact`, and there is none.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.extras import extra
from fargate_workers_runtime.signals import end_at_once

if TYPE_CHECKING:
    from fargate_workers_runtime.brokers.redis_lists import ListFull, ListProducer, list_producer
    from fargate_workers_runtime.brokers.redis_streams import (
        NotReplicated,
        StreamFull,
        StreamProducer,
        stream_producer,
    )
    from fargate_workers_runtime.entry_points import (
        ObjectCreated,
        Schedule,
        Task,
        run,
        run_once,
        run_relay,
        run_task,
    )
    from fargate_workers_runtime.errors import ClaimLost, FargateWorkersError, PoisonMessage, Retry, SettingsError
    from fargate_workers_runtime.function import lambda_handler
    from fargate_workers_runtime.message import Message
    from fargate_workers_runtime.redis import ReadThroughCache, TokenBucket, connect_redis
    from fargate_workers_runtime.sql import PostgresSettings, connect_postgres, connect_postgres_async, outbox

__version__ = "0.1.0"

_HOMES = {
    "ClaimLost": "errors",
    "FargateWorkersError": "errors",
    "ListFull": "brokers.redis_lists",
    "ListProducer": "brokers.redis_lists",
    "Message": "message",
    "NotReplicated": "brokers.redis_streams",
    "ObjectCreated": "entry_points",
    "PoisonMessage": "errors",
    "PostgresSettings": "sql.postgres_settings",
    "ReadThroughCache": "redis.read_through_cache",
    "Retry": "errors",
    "Schedule": "entry_points",
    "SettingsError": "errors",
    "StreamFull": "brokers.redis_streams",
    "StreamProducer": "brokers.redis_streams",
    "Task": "entry_points",
    "TokenBucket": "redis.token_bucket",
    "connect_postgres": "sql.connection",
    "connect_postgres_async": "sql.connection",
    "connect_redis": "redis.connection",
    "lambda_handler": "function",
    "list_producer": "brokers.redis_lists",
    "outbox": "sql",
    "run": "entry_points",
    "run_once": "entry_points",
    "run_relay": "entry_points",
    "run_task": "entry_points",
    "stream_producer": "brokers.redis_streams",
}

__all__ = [
    "ClaimLost",
    "FargateWorkersError",
    "ListFull",
    "ListProducer",
    "Message",
    "NotReplicated",
    "ObjectCreated",
    "PoisonMessage",
    "PostgresSettings",
    "ReadThroughCache",
    "Retry",
    "Schedule",
    "SettingsError",
    "StreamFull",
    "StreamProducer",
    "Task",
    "TokenBucket",
    "connect_postgres",
    "connect_postgres_async",
    "connect_redis",
    "lambda_handler",
    "list_producer",
    "outbox",
    "run",
    "run_once",
    "run_relay",
    "run_task",
    "stream_producer",
]


def __getattr__(name: str) -> Any:
    # Names load on first use: the health check imports this package every 30 seconds and must not pay for boto3.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    end_at_once(os.environ)
    with extra():
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

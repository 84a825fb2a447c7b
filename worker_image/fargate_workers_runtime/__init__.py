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

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fargate_workers_runtime.cache import ReadThroughCache
    from fargate_workers_runtime.entry import run, run_once
    from fargate_workers_runtime.errors import ClaimLost, PoisonMessage, Retry, SettingsError
    from fargate_workers_runtime.message import Message
    from fargate_workers_runtime.redis_connection import connect_redis
    from fargate_workers_runtime.task import ObjectCreated, Schedule, Task, run_task
    from fargate_workers_runtime.token_bucket import TokenBucket

_HOMES = {
    "ClaimLost": "errors",
    "Message": "message",
    "ObjectCreated": "task",
    "PoisonMessage": "errors",
    "ReadThroughCache": "cache",
    "Retry": "errors",
    "Schedule": "task",
    "SettingsError": "errors",
    "Task": "task",
    "TokenBucket": "token_bucket",
    "connect_redis": "redis_connection",
    "run": "entry",
    "run_once": "entry",
    "run_task": "task",
}

__all__ = [
    "ClaimLost",
    "Message",
    "ObjectCreated",
    "PoisonMessage",
    "ReadThroughCache",
    "Retry",
    "Schedule",
    "SettingsError",
    "Task",
    "TokenBucket",
    "connect_redis",
    "run",
    "run_once",
    "run_task",
]


def __getattr__(name: str) -> Any:
    # Names load on first use: the health check imports this package every 30 seconds and must not pay for boto3.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

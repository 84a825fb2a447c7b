"""The steps between a message and a handler: its argument, its call, what it returns."""

from fargate_workers_runtime.handlers.asynchronous import Call, Handler, refuse_generators, synchronous
from fargate_workers_runtime.handlers.gate import Gate, KeyOf
from fargate_workers_runtime.handlers.logged import LoggedMessage, replay_of
from fargate_workers_runtime.handlers.payloads import Body
from fargate_workers_runtime.handlers.returned import resolve
from fargate_workers_runtime.handlers.steps import Steps, finish

__all__ = [
    "Body",
    "Call",
    "Gate",
    "Handler",
    "KeyOf",
    "LoggedMessage",
    "Steps",
    "finish",
    "refuse_generators",
    "replay_of",
    "resolve",
    "synchronous",
]

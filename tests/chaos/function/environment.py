"""An execution environment of the chaos run: the handler as it ships, one invocation after the other."""

import os
import sys
from multiprocessing.connection import Connection

from fargate_workers_runtime import lambda_handler
from tests.chaos.worker import SCHEMA, Handler, Life, die_with_parent
from tests.doubles.event_source import Context
from tests.faults.program import session


def live(life: Life, invocations: Connection) -> None:
    """Answer each invocation, an event with the seconds it may take, until nobody asks any more."""
    die_with_parent()
    os.environ.clear()
    os.environ.update(life.environment)
    log = os.open(life.folder / f"{life.process}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    session()
    answer = lambda_handler(Handler(life).handle, schema=SCHEMA, idempotency_key="/order_id")
    while True:
        try:
            event, seconds = invocations.recv()
        except EOFError:
            os._exit(0)
        invocations.send(answer(event, Context(seconds)))

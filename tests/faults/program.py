"""The worker that the fault tests run as a process: `run` as it ships, on hooks that hurt it at a chosen step."""

import atexit
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader
from botocore.retries.standard import ExponentialBackoff

from fargate_workers_runtime import Message
from fargate_workers_runtime.entry_points import run
from fargate_workers_runtime.process.ticker import Ticker
from fargate_workers_runtime.settings import Settings
from tests.faults import clock
from tests.faults.injector import Fault, Injector
from tests.faults.steps import Steps
from tests.forking import send_signal_here
from tests.patience import PATIENCE

#: The requests that reach a store of claims, whichever it is.
CLAIM_REQUESTS = ("UpdateItem", "EVALSHA", "EVAL")

# Seconds between two looks whether a heartbeat is due, and the threads that look.
_LOOK, _BEATS = 0.4, ("heartbeat", "claims", "releases")

# A client's service model is 0.2 s of work to read. Processes are forked from one that has read them.
_MODELS = Loader()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one process is started with.

    Attributes:
        folder: Where its files are, and those of the processes on the same queue.
        name: Of its own files.
        at: The step at which it sends itself the signal that it `sends`.
        faults: What goes wrong between it and AWS.
        prepare: Called first of all, in the new process.
    """

    folder: Path
    name: str
    environment: Mapping[str, str]
    at: str | None = None
    sends: Signals = SIGKILL
    faults: tuple[Fault, ...] = ()
    prepare: Callable[[], None] | None = None


def work(plan: Plan) -> None:
    """The process's life. It ends by the SystemExit of `run`, or by a signal."""
    os.environ.clear()
    os.environ.update(plan.environment)
    os.dup2(os.open(plan.folder / f"{plan.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    clock.follow(plan.folder)
    be_quick()
    if plan.prepare:
        plan.prepare()
    handler = _Handler(plan)
    try:
        run(handler.handle, idempotency_key="/order_id")
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001  multiprocessing ends a process without them


def session() -> boto3.Session:
    """A new default session for boto3, with the service models that were read before."""
    core = botocore.session.Session()
    core.register_component("data_loader", _MODELS)
    boto3.setup_default_session(botocore_session=core)
    assert boto3.DEFAULT_SESSION
    return boto3.DEFAULT_SESSION


class _Handler:
    """Does what the words in a message's `does` say, and then its effect: a line in a file.

    `late`: let the time pass until a heartbeat is due. `amid`: wait until one has begun. `beat`: last for a whole one.
    `hold`: wait while a file of that name is there. `fail` at the first delivery. `stop` the process. `transact` the
    effect: count it in a transaction.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._steps = Steps(self._reached)
        self._stopping = threading.Event()
        logging.getLogger("fargate_workers_runtime").addHandler(_Listener("stopping", self._stopping))
        events = session().events
        self._steps.watch(events)
        self._steps.watch_redis()
        self._injector = Injector(plan.faults)
        self._injector.install(events)

    def handle(self, message: Message) -> None:
        self._append("history", f"begun {message.body['order_id']} {message.receive_count}")
        self._steps.reach("handler", "begun")
        does = message.body.get("does", "").split()
        if "late" in does:
            clock.advance(self._plan.folder, 0.7 * int(self._plan.environment["VISIBILITY_TIMEOUT_SECONDS"]))
        if "amid" in does:
            _wait(lambda: self._injector.requests["ChangeMessageVisibilityBatch"] > 0, seconds=60)
        if "fail" in does and message.receive_count == 1:
            raise ValueError("the first attempt fails")
        if "beat" in does:
            self._wait_for_a_heartbeat()
        if "hold" in does:
            holds = [self._plan.folder / name for name in ("hold", f"hold-{self._plan.name}")]
            _wait(lambda: not any(hold.exists() for hold in holds), seconds=60)
        if "stop" in does and self._plan.name == "first":
            os.kill(os.getpid(), SIGTERM)
            _wait(lambda: False, seconds=60)
        if "transact" in does:
            message.transact([_count(message)])
        else:
            self._append("history", f"effect {message.body['order_id']} {message.receive_count}")
        self._steps.reach("effect", "made")

    def _wait_for_a_heartbeat(self) -> None:
        requests = 0 if self._plan.environment["CLAIM_STORE"] == "none" else 2  # the claim, and its renewal
        _wait(
            lambda: (
                self._steps.count("answered", "ChangeMessageVisibilityBatch") >= 1
                and self._steps.count("answered", *CLAIM_REQUESTS) >= requests
            ),
            seconds=int(self._plan.environment["VISIBILITY_TIMEOUT_SECONDS"]),  # a lease that is lost gets none
        )

    def _reached(self, step: str) -> None:
        self._append(f"{self._plan.name}.steps", step)
        if step != self._plan.at:
            return
        self._append(f"{self._plan.name}.signalled", str(time.time()))
        send_signal_here(self._plan.sends)
        # The step goes on when the shutdown has begun, not before; the main thread is the one that begins it.
        if self._plan.sends == SIGTERM and threading.current_thread() is not threading.main_thread():
            self._stopping.wait(PATIENCE)

    def _append(self, name: str, line: str) -> None:
        with (self._plan.folder / name).open("a") as file:
            file.write(f"{line}\n")


def be_quick() -> None:
    """Let pauses be drawn from the lower end of their ranges, and heartbeats look often whether one is due.

    What happens is the same, and a test need not wait.
    """
    random.uniform = lambda least, most: least + (most - least) / 10  # type: ignore[assignment]
    delay = ExponentialBackoff.delay_amount
    ExponentialBackoff.delay_amount = lambda backoff, context: delay(backoff, context) / 10  # type: ignore[method-assign]
    begin = Ticker.__init__

    def often(ticker: Ticker, name: str, *, seconds: float, **action: Any) -> None:
        begin(ticker, name, seconds=min(seconds, _LOOK) if name in _BEATS else seconds, **action)

    Ticker.__init__ = often  # type: ignore[method-assign]


def drain_for_a_second() -> None:
    """Let a stop give up its handlers soon, and leave it the usual time for what comes after that."""
    Settings.drain_seconds = 1.0  # type: ignore[assignment, misc]


class _Listener(logging.Handler):
    def __init__(self, event: str, heard: threading.Event) -> None:
        super().__init__()
        self._event = event
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == self._event:
            self._heard.set()


def _count(message: Message) -> dict[str, object]:
    return {
        "Update": {
            "TableName": os.environ["CLAIMS_TABLE_NAME"],
            "Key": {"pk": {"S": f"effects#{os.environ['WORKER_NAME']}#{message.body['order_id']}"}},
            "UpdateExpression": "ADD effects :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def _wait(condition: Callable[[], bool], *, seconds: float) -> None:
    """Until it holds, or so many seconds have gone."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)  # a poll's pace


# What every process needs and none must pay for: the clients' service models.
for _service in ("sqs", "dynamodb"):
    session().client(_service, region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")

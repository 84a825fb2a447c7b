"""`run_relay`, the entry point of a process that does nothing but send what waits in an outbox."""

import os
from pathlib import Path
from typing import NoReturn

from fargate_workers_runtime.clients import prompt_sqs_client
from fargate_workers_runtime.extras import extra
from fargate_workers_runtime.process import StopRequest, Ticker, end, starting
from fargate_workers_runtime.settings import number, text
from fargate_workers_runtime.signals import on_stop
from fargate_workers_runtime.telemetry import Metrics

#: Seconds between two looks, and for which a request to SQS may take at most six times less.
_SECONDS, _PROMPT = 1.0, 60


def run_relay() -> NoReturn:
    """The process of a relay: it sends what transactions have written into the outbox, until SIGTERM.

    For an outbox that no worker relays: because none has the right to send to every queue (OUTBOX_RELAY=false there),
    or because the rows come from elsewhere. It looks once a second. Several may run.

    Environment: WORKER_NAME, what `connect_postgres` reads, HEALTH_FILE, METRICS_SECONDS. Exit codes: 0 stopped, 1 to
    be replaced, 2 wrong settings.

    Example:
        >>> run_relay()  # doctest: +SKIP
    """
    with starting():
        with extra():
            from fargate_workers_runtime.sql import (  # noqa: PLC0415
                PostgresSettings,
                Relay,
                check_schema,
                connect_postgres,
            )
        name = text(os.environ, "WORKER_NAME")
        check_schema(PostgresSettings.from_environment(os.environ))
        pool = connect_postgres(os.environ)
        relay = Relay(pool, lambda: prompt_sqs_client(visibility_timeout=_PROMPT), longest_pause=_SECONDS)
        metrics = Metrics(name)
        metrics.observe(relay.gauges)
        every = number(os.environ, "METRICS_SECONDS", 60, 1, 60)
    healthy = Path(os.environ.get("HEALTH_FILE") or "/tmp/healthy")  # noqa: S108  the task's only writable place

    def look() -> None:
        relay.tick()
        healthy.touch()

    tickers = [
        Ticker("relay", seconds=_SECONDS, action=look),
        Ticker("metrics", seconds=every, action=metrics.flush),
    ]
    request = StopRequest()
    on_stop(request.make)
    for ticker in tickers:
        ticker.start()
    request.wait()
    for ticker in tickers:
        ticker.stop()
    metrics.flush()
    pool.close()
    end(0)

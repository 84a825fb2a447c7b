"""What the environment names, opened: the broker, and the database of claims."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fargate_workers_runtime.brokers import Broker
from fargate_workers_runtime.brokers.sqs import SqsBroker, check_addresses
from fargate_workers_runtime.claims import Effects
from fargate_workers_runtime.extras import extra
from fargate_workers_runtime.process import Ticker
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import GaugeName, Metrics

#: How often expired keys are looked for, in seconds.
_PRUNING_SECONDS = 60.0

#: How often the relay asks itself whether it is time to look, in seconds.
_RELAY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database in which handlers claim their keys.

    Attributes:
        effects: The claims.
        tickers: Its upkeep, for as long as the worker runs.
        close: Ends its connections.
    """

    effects: Effects
    tickers: Sequence[Ticker]
    close: Callable[[], None]


def open_broker(settings: Settings, metrics: Metrics) -> Broker:
    """The broker of the kind in `settings`; what a broker counts itself goes to `metrics`.

    Args:
        settings: The settings of the worker.
        metrics: The metrics of the worker.

    Raises:
        SettingsError: A variable of the broker's own is missing or wrong.
    """
    # Imported where they are used: a worker neither installs nor loads the client of another broker.
    match settings.broker:
        case "sqs":
            return _sqs(settings, metrics)
        case "redis-stream":
            return _redis_stream(settings, metrics)
        case "redis-list":
            return _redis_list(settings, metrics)
        case "kafka":
            return _kafka(metrics)


def _sqs(settings: Settings, metrics: Metrics) -> Broker:
    from fargate_workers_runtime.clients import prompt_sqs_client, sqs_client  # noqa: PLC0415

    check_addresses(settings.queue_url, settings.dead_letter_queue_url)
    return SqsBroker(
        sqs_client(longest_wait=settings.receive_wait, queue_url=settings.queue_url),
        settings.queue_url,
        prompt=prompt_sqs_client(visibility_timeout=settings.lease, queue_url=settings.queue_url),
        dead_letter_queue_url=settings.dead_letter_queue_url,
        billed=lambda requests: metrics.count("Requests", requests),
    )


def _redis_stream(settings: Settings, metrics: Metrics) -> Broker:
    with extra():
        from fargate_workers_runtime.brokers.redis_streams import open_stream  # noqa: PLC0415

    broker = open_stream(
        os.environ,
        max_receive_count=settings.max_receive_count,
        trimmed=lambda entries: metrics.count("EntriesTrimmed", entries),
    )
    metrics.observe(lambda: _waiting(broker))
    return broker


def _redis_list(settings: Settings, metrics: Metrics) -> Broker:
    with extra():
        from fargate_workers_runtime.brokers.redis_lists import open_list  # noqa: PLC0415

    broker = open_list(os.environ, max_receive_count=settings.max_receive_count)
    metrics.observe(lambda: _waiting(broker))
    return broker


def _waiting(broker: Broker) -> Mapping[GaugeName, float]:
    """What has not ended, by a broker of which CloudWatch knows nothing."""
    if (lag := broker.lag()) is None:
        return {}
    gauges: dict[GaugeName, float] = {"Lag": lag.waiting + lag.leased}
    if lag.oldest_age is not None or not gauges["Lag"]:
        gauges["OldestAge"] = lag.oldest_age or 0.0
    return gauges


def _kafka(metrics: Metrics) -> Broker:
    from fargate_workers_runtime.clients import msk_client  # noqa: PLC0415

    with extra():
        from fargate_workers_runtime.brokers.kafka import open_kafka  # noqa: PLC0415

    broker = open_kafka(os.environ, msk=msk_client, count=metrics.count)
    metrics.observe(lambda: {**broker.observe()})
    return broker


def open_database(settings: Settings, metrics: Metrics) -> Database | None:
    """The database in which handlers claim their keys; None if they claim elsewhere, or not at all.

    Args:
        settings: The settings of the worker.
        metrics: The metrics of the worker, which get those of the outbox.

    Raises:
        SettingsError: A variable of the database is missing or wrong, or the database lacks a table or a right.
    """
    if settings.claim_store != "postgres":
        return None
    # Imported where they are used: a worker without PostgreSQL neither installs nor loads it.
    with extra():
        from fargate_workers_runtime.sql import (  # noqa: PLC0415
            PostgresEffects,
            PostgresSettings,
            Relay,
            check_schema,
            connect_postgres,
        )
    place = PostgresSettings.from_environment(os.environ)
    check_schema(place)
    pool = connect_postgres(os.environ)
    effects = PostgresEffects(pool, scope=settings.claims_scope or settings.worker_name, keep=place.keep_seconds)
    tickers = [Ticker("pruning", seconds=_PRUNING_SECONDS, action=effects.prune)]
    if place.relays:
        from fargate_workers_runtime.clients import prompt_sqs_client  # noqa: PLC0415

        relay = Relay(pool, lambda: prompt_sqs_client(visibility_timeout=settings.lease))
        metrics.observe(relay.gauges)
        tickers.append(Ticker("relay", seconds=_RELAY_SECONDS, action=relay.tick))
    return Database(effects=effects, tickers=tickers, close=pool.close)

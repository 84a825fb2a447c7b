"""The environment a worker reads, its defaults and its complaints."""

from pathlib import Path

import pytest

from fargate_workers_runtime import FargateWorkersError, SettingsError
from fargate_workers_runtime.entry_points import worker
from fargate_workers_runtime.settings import MAX_MESSAGE_BYTES, Settings
from fargate_workers_runtime.testing import MemoryQueue

LEAST = {"WORKER_NAME": "ApplyOrders", "QUEUE_URL": "https://queue"}


def test_the_defaults_are_those_documented() -> None:
    settings = Settings.from_environment(LEAST)
    assert settings == Settings(worker_name="ApplyOrders", queue_url="https://queue")
    assert settings.dead_letter_queue_url is None
    assert settings.claims_table_name is None
    assert settings.lease == 120
    assert settings.max_processing == 900
    assert settings.concurrency == 10
    assert settings.receive_wait == 20
    assert settings.stop_timeout == 120
    assert settings.drain_seconds == 105
    assert settings.health_file == Path("/tmp/healthy")
    assert (settings.pacing, settings.receivers, settings.processes) == ("latency", 8, 1)
    assert (settings.max_messages, settings.max_receive_count, settings.rate_limit) == (0, 0, 0)
    assert settings.claim_store == "none"
    assert settings.max_message_bytes == MAX_MESSAGE_BYTES == 1024 * 1024


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        {
            **LEAST,
            "DEAD_LETTER_QUEUE_URL": "https://dead",
            "VISIBILITY_TIMEOUT_SECONDS": "30",
            "MAX_PROCESSING_SECONDS": "60",
            "CONCURRENCY": "4",
            "RECEIVE_WAIT_SECONDS": "1",
            "STOP_TIMEOUT_SECONDS": "40",
            "HEALTH_FILE": "/tmp/alive",
            "CLAIMS_TABLE_NAME": "claims",
            "PACING": "economy",
            "RECEIVERS": "2",
            "PROCESSES": "4",
            "MAX_MESSAGES_PER_PROCESS": "100000",
            "MAX_RECEIVE_COUNT": "5",
            "CLAIM_STORE": "redis",
            "METRICS_SECONDS": "2",
            "RATE_LIMIT_PER_SECOND": "50",
            "MAX_MESSAGE_BYTES": "262144",
            "UNTIL_EMPTY": "true",
        }
    )
    assert settings == Settings(
        until_empty=True,
        worker_name="ApplyOrders",
        queue_url="https://queue",
        dead_letter_queue_url="https://dead",
        lease=30,
        max_processing=60,
        concurrency=4,
        receive_wait=1,
        stop_timeout=40,
        health_file=Path("/tmp/alive"),
        claims_table_name="claims",
        pacing="economy",
        receivers=2,
        processes=4,
        max_messages=100_000,
        max_receive_count=5,
        claim_store="redis",
        metrics_interval=2,
        rate_limit=50,
        max_message_bytes=262_144,
    )


def test_a_table_of_claims_is_used_unless_the_store_says_otherwise() -> None:
    assert Settings.from_environment({**LEAST, "CLAIMS_TABLE_NAME": "claims"}).claim_store == "dynamodb"
    none = Settings.from_environment({**LEAST, "CLAIMS_TABLE_NAME": "claims", "CLAIM_STORE": "none"})
    assert none.claim_store == "none"


def test_a_store_without_its_table_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^CLAIMS_TABLE_NAME is not set; "):
        Settings.from_environment({**LEAST, "CLAIM_STORE": "dynamodb"})


@pytest.mark.parametrize("name", ["PACING", "CLAIM_STORE"])
def test_a_wrong_word_is_named_with_the_right_ones(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is 'fast'; make it one of .*, .*\.$"):
        Settings.from_environment({**LEAST, name: "fast"})


@pytest.mark.parametrize("name", sorted(LEAST))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set; .*\\.$"):
        Settings.from_environment({key: value for key, value in LEAST.items() if key != name})


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "1001", "٣"])
def test_a_wrong_number_is_named_with_its_range(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^CONCURRENCY is .*; make it a whole number from 1 to 1000\.$"):
        Settings.from_environment({**LEAST, "CONCURRENCY": value})


def test_a_wrong_setting_is_an_error_of_the_runtime() -> None:
    assert issubclass(SettingsError, FargateWorkersError)
    assert issubclass(SettingsError, ValueError)


@pytest.mark.parametrize("broker", ["redis-stream", "redis-list"])
def test_a_poll_that_is_not_billed_is_short_so_that_a_stop_is(broker: str) -> None:
    settings = Settings.from_environment({"WORKER_NAME": "x", "BROKER": broker})
    assert (settings.receive_wait, settings.queue_url) == (2, "")


def test_a_job_ends_when_the_queue_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """UNTIL_EMPTY: the process handles what is there, and ends with 0."""
    codes: list[int] = []
    queue = MemoryQueue([{"id": 1}, {"id": 2}])
    for name, value in {**LEAST, "UNTIL_EMPTY": "true", "RECEIVE_WAIT_SECONDS": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worker, "open_broker", lambda _settings, _metrics: queue)
    monkeypatch.setattr(worker, "on_stop", lambda _stop: None)
    monkeypatch.setattr(worker, "end", codes.append)

    worker.run(lambda message: None)

    assert codes == [0]
    assert queue.empty

"""The environment a worker reads, its defaults and its complaints."""

from pathlib import Path

import pytest

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.settings import MAX_MESSAGE_BYTES, Settings

LEAST = {"WORKER_NAME": "ApplyOrders", "QUEUE_URL": "https://queue"}


def test_the_defaults_are_those_documented() -> None:
    settings = Settings.from_environment(LEAST)
    assert settings == Settings(worker_name="ApplyOrders", queue_url="https://queue")
    assert settings.dead_letter_queue_url is None
    assert settings.claims_table_name is None
    assert settings.visibility_timeout == 120
    assert settings.max_processing == 900
    assert settings.concurrency == 10
    assert settings.receive_wait == 20
    assert settings.stop_timeout == 120
    assert settings.drain_seconds == 105
    assert settings.health_file == Path("/tmp/healthy")
    assert MAX_MESSAGE_BYTES == 256 * 1024


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
        }
    )
    assert settings == Settings(
        worker_name="ApplyOrders",
        queue_url="https://queue",
        dead_letter_queue_url="https://dead",
        visibility_timeout=30,
        max_processing=60,
        concurrency=4,
        receive_wait=1,
        stop_timeout=40,
        health_file=Path("/tmp/alive"),
        claims_table_name="claims",
    )


@pytest.mark.parametrize("name", sorted(LEAST))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set; .*\\.$"):
        Settings.from_environment({key: value for key, value in LEAST.items() if key != name})


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "1001", "٣"])
def test_a_wrong_number_is_named_with_its_range(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^CONCURRENCY is .*; make it a whole number from 1 to 1000\.$"):
        Settings.from_environment({**LEAST, "CONCURRENCY": value})

"""What the worker promises in counts: requests, deliveries, write units, memory; measured by its benchmark."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

KINDS = {"not_json", "wrong_shape", "too_large", "invalid_unicode", "deep_nesting"}


@pytest.fixture(scope="module")
def counts() -> dict[str, Any]:
    """What the worker's benchmark prints."""
    command = [sys.executable, "-m", "benchmarks.worker", "--counts", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_a_backlog_costs_21_requests_for_100_messages_at_most(counts: dict[str, Any]) -> None:
    assert 0.2 <= counts["backlog_requests_per_message"] <= 0.21


def test_a_trickle_costs_45_requests_for_100_messages_at_most_in_economy(counts: dict[str, Any]) -> None:
    assert counts["trickle_requests_per_message"] <= 0.45


def test_an_idle_task_costs_three_requests_a_minute(counts: dict[str, Any]) -> None:
    assert counts["idle_requests_per_minute"] <= 3.05


def test_poison_is_delivered_once_and_lies_in_the_dead_letter_queue_with_a_reason(counts: dict[str, Any]) -> None:
    assert counts["poison"].keys() == KINDS
    for poison in counts["poison"].values():
        assert (poison["deliveries"], poison["ended_in"]) == (1, "dead-letter queue")
        assert poison["reason"]


def test_a_worker_that_is_stopped_leaves_nothing_hidden_and_nothing_unacknowledged(counts: dict[str, Any]) -> None:
    assert counts["messages_hidden_after_sigterm"] == 0
    assert counts["effects_unacknowledged_after_sigterm"] == 0
    assert counts["exit_code_after_sigterm"] == 0


def test_a_key_has_one_effect_and_costs_two_write_units(counts: dict[str, Any]) -> None:
    assert counts["duplicates_sent"] > 0
    assert counts["duplicate_effects"] == 0
    assert counts["dynamodb_write_units_per_message"] == pytest.approx(2, abs=0.01)


def test_four_processes_share_a_rate_within_one_percent(counts: dict[str, Any]) -> None:
    assert abs(counts["token_bucket_deviation"]) <= 0.01


def test_fifty_readers_of_an_expired_key_cause_one_load(counts: dict[str, Any]) -> None:
    assert counts["cache_loads_for_50_readers"] == 1


def test_a_worker_takes_60_megabytes_at_most_before_its_users_code(counts: dict[str, Any]) -> None:
    assert counts["megabytes_before_user_code"] <= 60

"""Run tasks: one run, its claim, its exit code."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fargate_workers_runtime import ObjectCreated, PoisonMessage, Retry, SettingsError, Task
from fargate_workers_runtime.task import run_claimed
from fargate_workers_runtime.testing import MemoryClaims

SCHEDULED = {
    "WORKER_NAME": "HourlyReport",
    "SCHEDULE_NAME": "hourly",
    "SCHEDULED_TIME": "2026-01-31T12:00:00Z",
    "SCHEDULE_RUN_ID": "run-1",
}
OBJECT = {
    "WORKER_NAME": "ImportBulk",
    "OBJECT_BUCKET": "files",
    "OBJECT_KEY": "bulk/a b.csv",
    "OBJECT_VERSION_ID": "v1",
    "OBJECT_SEQUENCER": "0055",
    "OBJECT_SIZE": "12",
    "OBJECT_ETAG": '"abc"',
}


def task(**changes: str) -> Task:
    return Task.from_environment({**SCHEDULED, **changes})


def done(_task: Task) -> None:
    pass


def raising(error: BaseException) -> Callable[[Task], None]:
    def handle(_task: Task) -> None:
        raise error

    return handle


def test_a_scheduled_task_knows_the_time_it_stands_for() -> None:
    schedule = task().schedule
    assert schedule is not None
    assert schedule.scheduled_time == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (schedule.name, schedule.run_id) == ("hourly", "run-1")


def test_an_objects_task_knows_the_object() -> None:
    created = Task.from_environment(OBJECT)
    assert created.object == ObjectCreated(
        bucket="files", key="bulk/a b.csv", version_id="v1", sequencer="0055", size=12, etag="abc"
    )
    assert created.idempotency_key == "files/bulk/a b.csv/v1"
    assert Task.from_environment({**OBJECT, "OBJECT_VERSION_ID": ""}).idempotency_key == "files/bulk/a b.csv/0055"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"WORKER_NAME": "x"}, "^Neither SCHEDULE_NAME nor OBJECT_BUCKET is set; .*"),
        ({**SCHEDULED, "SCHEDULED_TIME": "noon"}, "^SCHEDULED_TIME is 'noon'; make it an ISO 8601 time .*"),
        ({"WORKER_NAME": "x", "OBJECT_BUCKET": "b"}, "^OBJECT_KEY is not set; .*"),
    ],
)
def test_a_wrong_environment_is_one_sentence(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Task.from_environment(environment)


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        (done, 0),
        (raising(Retry("later")), 10),
        (raising(ValueError("no")), 10),
        (raising(PoisonMessage("no such file")), 20),
    ],
)
@pytest.mark.parametrize("claims", [None, MemoryClaims()])
def test_the_exit_code_says_how_it_ended(
    handle: Callable[[Task], None], code: int, claims: MemoryClaims | None
) -> None:
    assert run_claimed(handle, task(SCHEDULED_TIME=f"2026-01-01T00:{code:02}:00Z"), claims) == code


def test_work_done_for_one_time_is_not_done_again_and_the_next_time_is() -> None:
    claims = MemoryClaims()
    seen: list[Any] = []
    for at in ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"):
        assert run_claimed(seen.append, task(SCHEDULED_TIME=at), claims) == 0
    assert [each.schedule.scheduled_time.hour for each in seen] == [12, 13]


def test_a_failed_run_may_be_run_again() -> None:
    claims = MemoryClaims()
    assert run_claimed(raising(ValueError("no")), task(), claims) == 10
    seen: list[Task] = []
    assert run_claimed(seen.append, task(), claims) == 0
    assert len(seen) == 1


def test_a_run_that_overlaps_another_of_its_schedule_skips() -> None:
    claims = MemoryClaims()
    inner: list[int] = []

    def overlapping(_task: Task) -> None:
        later = task(SCHEDULED_TIME="2026-01-31T13:00:00Z")
        inner.append(run_claimed(raising(AssertionError("ran beside the first")), later, claims))

    assert run_claimed(overlapping, task(), claims) == 0
    assert inner == [0]


def test_two_objects_of_one_task_run_beside_each_other() -> None:
    claims = MemoryClaims()
    seen: list[Task] = []

    def nested(_task: Task) -> None:
        run_claimed(seen.append, Task.from_environment({**OBJECT, "OBJECT_KEY": "bulk/other.csv"}), claims)

    run_claimed(nested, Task.from_environment(OBJECT), claims)
    assert len(seen) == 1


def test_a_run_whose_claim_was_taken_over_does_not_call_itself_done() -> None:
    now = [1_800_000_000.0]
    claims = MemoryClaims(clock=lambda: now[0])

    def stall(stalled: Task) -> None:
        now[0] += 1000
        claims.claim(stalled.idempotency_key, owner="other", seconds=60)

    assert run_claimed(stall, task(), claims) == 10


def test_a_claims_table_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = MemoryClaims()
    monkeypatch.setattr(claims, "claim", raising(ConnectionError("no")))
    seen: list[Task] = []
    assert run_claimed(seen.append, task(), claims) == 10
    assert seen == []

"""Run tasks: one run, its claim, its exit code."""

import asyncio
import functools
import sys
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from fargate_workers_runtime import ObjectCreated, PoisonMessage, Retry, SettingsError, Task
from fargate_workers_runtime.entry_points.task import LEASE_SECONDS, Interruption, run_claimed
from fargate_workers_runtime.testing import Clock, MemoryClaims

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


# What the handler returns


@pytest.mark.parametrize("decorate", [lambda f: f, functools.partial, lambda f: lambda ours: f(ours)])  # noqa: PLW0108
def test_a_coroutine_function_is_run_to_its_end(decorate: Callable[..., Any]) -> None:
    claims = MemoryClaims()
    seen: list[Task] = []

    async def report(ours: Task) -> None:
        await asyncio.sleep(0)
        seen.append(ours)

    assert run_claimed(decorate(report), task(), claims) == 0
    assert seen == [task()]
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == "completed"


def test_a_handler_whose_work_nobody_would_do_is_refused_and_its_time_stays_to_be_done() -> None:
    claims = MemoryClaims()

    def generate(_task: Task) -> Generator[None]:
        yield

    assert run_claimed(generate, task(), claims) == 2
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == "granted"


@pytest.mark.parametrize(("left_with", "code"), [(0, 0), (None, 0), (3, 10), ("no", 10)])
def test_a_handler_that_leaves_by_sys_exit_has_ended_well_or_not(left_with: Any, code: int) -> None:
    assert run_claimed(lambda _task: sys.exit(left_with), task(), MemoryClaims()) == code


# A store that fails


class Failing(MemoryClaims):
    """Its calls named `fails` raise for so many times."""

    def __init__(self, fails: str, times: int = 1_000) -> None:
        super().__init__()
        self._fails, self._times = fails, times

    def _check(self, name: str) -> None:
        if name == self._fails and self._times > 0:
            self._times -= 1
            raise ConnectionError

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        self._check("release")
        super().release(key, owner=owner, begun=begun)

    def complete(self, key: str, *, owner: str) -> bool:
        self._check("complete")
        return super().complete(key, owner=owner)


def test_a_claim_that_cannot_be_freed_changes_nothing_in_how_the_run_ended() -> None:
    for handle, code in ((done, 0), (raising(PoisonMessage("no")), 20), (raising(ValueError()), 10)):
        assert run_claimed(handle, task(), Failing("release")) == code


def test_an_effect_that_is_recorded_at_the_third_try_is_done() -> None:
    claims = Failing("complete", times=2)
    waited: list[float] = []
    assert run_claimed(done, task(), claims, wait=waited.append) == 0
    assert len(waited) == 2
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == "completed"


def test_an_effect_that_cannot_be_recorded_is_reported_as_done_and_not_begun_again_at_once() -> None:
    claims = Failing("complete")
    assert run_claimed(done, task(), claims, wait=lambda _seconds: None) == 0
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == "held"


# SIGTERM


@pytest.mark.parametrize(("stop_timeout", "tries", "state"), [(120, 3, "completed"), (4, 2, "held")])
def test_an_effect_is_recorded_in_several_tries_also_while_the_task_stops_as_far_as_there_is_time(
    stop_timeout: float, tries: int, state: str
) -> None:
    clock = Clock()
    interruption = Interruption(stop_timeout=stop_timeout, clock=clock)
    asked: list[str] = []

    class Stopped(Failing):
        def complete(self, key: str, *, owner: str) -> bool:
            asked.append(key)
            interruption.request()
            return super().complete(key, owner=owner)

    claims = Stopped("complete", times=2)
    assert run_claimed(done, task(), claims, interruption=interruption, wait=clock.advance) == 0
    assert len(asked) == tries
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == state


@pytest.mark.parametrize("at", ["claim", "complete", "release", "handle"])
def test_a_signal_breaks_off_the_handler_and_nothing_that_is_said_to_the_claims(at: str) -> None:
    interruption = Interruption()

    class Interrupted(MemoryClaims):
        def claim(self, key: str, **arguments: Any) -> Any:
            answer = super().claim(key, **arguments)
            interrupt("claim")
            return answer

        def complete(self, key: str, *, owner: str) -> bool:
            answer = super().complete(key, owner=owner)
            interrupt("complete")
            return answer

        def release(self, key: str, *, owner: str) -> None:
            interrupt("release")
            super().release(key, owner=owner)

    def interrupt(now: str) -> None:
        if now == at:
            interruption.request()
            interruption.request()

    def handle(_task: Task) -> None:
        seen.append("began")
        interrupt("handle")
        seen.append("effect")

    seen: list[str] = []
    claims = Interrupted()
    code = run_claimed(handle, task(), claims, interruption=interruption)
    assert (code, seen) == {
        "claim": (10, []),
        "handle": (10, ["began"]),
        "complete": (0, ["began", "effect"]),
        "release": (0, ["began", "effect"]),
    }[at]
    at = ""
    state = claims.claim(task().idempotency_key, owner="x", seconds=1).state
    assert state == ("completed" if code == 0 else "granted")


def test_a_signal_lets_a_coroutine_clean_up() -> None:
    interruption = Interruption()
    seen: list[str] = []

    async def handle(_task: Task) -> None:
        try:
            asyncio.get_running_loop().call_soon(interruption.request)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    assert run_claimed(handle, task(), MemoryClaims(), interruption=interruption) == 10
    assert seen == ["cleaned up"]


# A run that was killed


@pytest.mark.parametrize("environment", [OBJECT, SCHEDULED])
def test_a_run_after_one_that_was_killed_waits_for_the_end_of_its_lease_and_does_the_work(
    environment: dict[str, str],
) -> None:
    clock = Clock()
    claims = MemoryClaims(clock=clock)
    ours = Task.from_environment(environment)
    for key in filter(None, (ours.exclusive_key, ours.idempotency_key)):
        claims.claim(key, owner="the one that was killed", seconds=LEASE_SECONDS)
    seen: list[Task] = []
    began = clock()
    assert run_claimed(seen.append, ours, claims, wait=clock.advance) == 0
    assert seen == [ours]
    assert clock() - began <= LEASE_SECONDS + 5


class Beside:
    """A run that lives beside ours: it renews its leases while ours waits, until `ends` after so many waits."""

    def __init__(self, ours: Task, *, ends: Callable[[MemoryClaims, str], None], after: int) -> None:
        self._clock = Clock()
        self.claims = MemoryClaims(clock=self._clock)
        self._keys = [key for key in (ours.exclusive_key, ours.idempotency_key) if key]
        self._ends, self._after = ends, after
        self.waited: list[float] = []
        for key in self._keys:
            self.claims.claim(key, owner="the one that lives", seconds=LEASE_SECONDS)
        self._clock.advance(30)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._clock.advance(10)  # when it renews
        if len(self.waited) < self._after:
            for key in self._keys:
                assert self.claims.renew(key, owner="the one that lives", seconds=LEASE_SECONDS)
        elif len(self.waited) == self._after:
            for key in self._keys:
                self._ends(self.claims, key)
        self._clock.advance(seconds - 10)


def complete(claims: MemoryClaims, key: str) -> None:
    claims.complete(key, owner="the one that lives")


def fail(claims: MemoryClaims, key: str) -> None:
    claims.release(key, owner="the one that lives")


def die(_claims: MemoryClaims, _key: str) -> None: ...


def test_a_run_of_a_schedule_beside_one_that_lives_sees_it_renew_its_lease_and_skips() -> None:
    ours = Task.from_environment(SCHEDULED)
    beside = Beside(ours, ends=complete, after=99)
    handle = raising(AssertionError("ran beside the first"))
    assert run_claimed(handle, ours, beside.claims, wait=beside.wait) == 0
    assert beside.waited == [LEASE_SECONDS / 3]


@pytest.mark.parametrize(("ends", "runs"), [(complete, 0), (fail, 1), (die, 1)])
def test_a_run_for_an_object_beside_one_that_lives_outlasts_it_and_does_the_work_if_that_one_did_not(
    ends: Callable[[MemoryClaims, str], None], runs: int
) -> None:
    ours = Task.from_environment(OBJECT)
    beside = Beside(ours, ends=ends, after=20)
    seen: list[Task] = []
    assert run_claimed(seen.append, ours, beside.claims, wait=beside.wait) == 0
    assert seen == [ours] * runs
    assert 20 <= len(beside.waited) <= 24


def test_a_signal_ends_the_wait_for_another_run() -> None:
    claims, interruption = MemoryClaims(), Interruption()
    ours = Task.from_environment(OBJECT)
    claims.claim(ours.idempotency_key, owner="another", seconds=60)
    code = run_claimed(done, ours, claims, interruption=interruption, wait=lambda _seconds: interruption.request())
    assert code == 10


def test_a_run_of_the_next_time_that_finds_the_schedule_taken_leaves_no_claim_of_its_own() -> None:
    claims = MemoryClaims()
    exclusive = task().exclusive_key
    assert exclusive
    claims.claim(exclusive, owner="the time before", seconds=60)
    assert run_claimed(done, task(), claims, wait=raising(AssertionError("waited"))) == 0  # type: ignore[arg-type]
    assert claims.claim(task().idempotency_key, owner="x", seconds=1).state == "granted"

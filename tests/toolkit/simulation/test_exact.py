"""The slow engine, against queueing theory and against the rules of SQS and ECS."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scaling.queueing import ERLANG, erlang_waits, little_deviation
from fargate_workers_runtime.pipeline import backoff
from fargate_workers_runtime.pipeline.receiving import credit
from fargate_workers_runtime.settings import Settings
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.engines.exact.ages import ExactAges
from fargate_workers_toolkit.simulation.engines.exact.run import ExactRun
from fargate_workers_toolkit.simulation.engines.exact.task import RunningTask
from fargate_workers_toolkit.simulation.engines.receiving import ask_for
from fargate_workers_toolkit.simulation.engines.retrying import longest_pause
from fargate_workers_toolkit.simulation.loads.built_in import steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, ScheduledAction, Task
from fargate_workers_toolkit.simulation.track import Track
from tests.toolkit.simulation.services import article, fixed

HOUR = 3600
FIXED = Assumptions(service_times="fixed", launch_sigma=0)


def run(
    service: ScaledService,
    load: Load,
    *,
    assumptions: Assumptions | None = None,
    deployments: tuple[int, ...] = (),
    seed: int = 0,
) -> Track:
    assumptions = assumptions or Assumptions()
    control = Control(service, assumptions=assumptions)
    track = ExactRun(service, load, control, assumptions=assumptions, deployments=deployments, seed=seed).run()
    assert track.residual == 0
    return track


def shrinking(tasks: int, *, to: int, task: Task, queue: Queue | None = None) -> ScaledService:
    """Scaled in at the fifth minute."""
    return replace(
        fixed(tasks, task=task, queue=queue),
        bounds=Bounds(to, tasks),
        scheduled=[ScheduledAction(name="Down", minute=5, maximum=to)],
    )


def ages_of(track: Track) -> np.ndarray:
    assert isinstance(track.ages, ExactAges)
    return track.ages.ages


@pytest.mark.parametrize(("servers", "use", "hours"), ERLANG)
def test_mean_waits_are_erlangs_within_three_sigma(servers: int, use: float, hours: int) -> None:
    assert erlang_waits(servers, use, hours).sigmas < 3


def test_the_messages_in_the_system_are_rate_times_age() -> None:
    assert little_deviation() < 0.03


def test_the_outage_formula_of_dead_letters_holds() -> None:
    flags = np.zeros(HOUR, dtype=np.bool_)
    flags[600:1800] = True
    load = Load(name="failing", arrivals=np.full(HOUR, 10), work_seconds=0.1, outage=flags)
    track = run(fixed(20, queue=Queue(visibility_timeout=60, max_receive_count=5)), load)
    assert track.dead_lettered == pytest.approx(10 * (1200 - 4 * 60), rel=0.01)


def test_all_poison_ends_as_dead_letters() -> None:
    bad = np.zeros(HOUR, dtype=np.int64)
    bad[600:700] = 3
    load = Load(name="poison", arrivals=np.full(HOUR, 2), poison=bad, work_seconds=0.2)
    track = run(fixed(4, queue=Queue(visibility_timeout=30, max_receive_count=3)), load)
    assert track.dead_lettered == 300


def test_messages_expire_at_the_end_of_their_retention() -> None:
    load = Load(name="much", arrivals=np.full(HOUR, 10), work_seconds=1.0)
    track = run(fixed(5, queue=Queue(retention=600)), load, assumptions=FIXED)
    assert track.expired == pytest.approx(5 * HOUR - 600 * 10, rel=0.02)
    assert track.ages.oldest <= 601.01


def test_without_protection_what_outlasts_the_stop_timeout_is_killed_and_comes_back() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    task = Task(stop_timeout=30)
    track = run(shrinking(8, to=3, task=task, queue=Queue(visibility_timeout=300)), load, assumptions=FIXED)
    assert (track.killed, track.done) == (5, 8)
    # Killed at 330, in sight again at 500, done 250 seconds later by the three that are left.
    assert track.ages.oldest == pytest.approx(500 + 2 * 250 - 200, abs=2)


@pytest.mark.parametrize(("protected", "timeout"), [(True, 30), (False, 240)])
def test_nothing_is_killed_that_is_protected_or_has_time_to_finish(protected: bool, timeout: int) -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    track = run(shrinking(8, to=3, task=Task(stop_timeout=timeout, protected=protected)), load, assumptions=FIXED)
    assert (track.killed, track.done) == (0, 8)
    assert track.minutes.running[-1] == 3
    assert track.ages.oldest == pytest.approx(250, abs=1)


def test_protected_tasks_stop_as_they_fall_idle() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    track = run(shrinking(8, to=3, task=Task(protected=True)), load, assumptions=FIXED)
    assert track.minutes.running[4:8] == [8, 8, 8, 3]


def test_the_drain_is_the_runtimes() -> None:
    environment = {"QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q", "WORKER_NAME": "w"}
    for timeout in (2, 30, 120):
        settings = Settings.from_environment(environment | {"STOP_TIMEOUT_SECONDS": str(timeout)})
        assert Task(stop_timeout=timeout).drain == settings.drain_seconds


@pytest.mark.parametrize(("sent", "killed", "running"), [(200, 0, 8), (290, 5, 3)])
def test_only_a_handler_that_has_run_for_longer_than_the_drain_is_protected(
    sent: int, killed: int, running: int
) -> None:
    """Scaled in at 300, work of 250 s: begun at 200 it has run for 100 s of a drain of 15; begun at 290, for 10."""
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[sent] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    service = shrinking(8, to=3, task=Task(protected=True), queue=Queue(visibility_timeout=300))
    track = run(service, load, assumptions=FIXED)
    assert (track.killed, track.done) == (killed, 8)
    assert track.minutes.running[5] == running


def test_a_trickle_does_not_keep_a_task_protected() -> None:
    """Eight tasks are busy all the time, and three are wanted; no handler ever takes as long as the drain."""
    load = Load(name="trickle", arrivals=np.full(HOUR, 4), work_seconds=10.0)
    track = run(shrinking(8, to=3, task=Task(protected=True, concurrency=10)), load, assumptions=FIXED)
    assert track.minutes.running[4:7] == [3, 3, 3]
    assert track.killed == 0


def test_a_task_rests_after_an_hour_of_unbroken_protection() -> None:
    """Two handlers take turns, so that one is always old: for an hour, and a moment later the task is idle and goes."""
    arrivals = np.zeros(3 * HOUR, dtype=np.int64)
    arrivals[100::75] = 1
    load = Load(name="turns", arrivals=arrivals, work_seconds=290.0)
    service = replace(
        fixed(2, task=Task(protected=True, concurrency=2), queue=Queue(visibility_timeout=900)),
        bounds=Bounds(1, 2),
        scheduled=[ScheduledAction(name="Down", minute=15, maximum=1)],
    )
    track = run(service, load, assumptions=FIXED)
    assert track.minutes.running[60] == 2
    assert track.minutes.running[75] == 1
    # What it began in the moment between its protection and its end.
    assert track.killed == 2


def test_the_runtime_renews_until_it_is_killed_so_its_messages_come_back_a_whole_timeout_later() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    task = Task(stop_timeout=30, prefetches=True)
    track = run(shrinking(8, to=3, task=task, queue=Queue(visibility_timeout=300)), load, assumptions=FIXED)
    assert (track.killed, track.done) == (5, 8)
    # Killed at 330, in sight again at 630; the three that are left take two rounds of 250 seconds for the five.
    assert track.ages.oldest == pytest.approx(630 + 2 * 250 - 200, abs=2)


def test_a_deployment_waits_for_protected_work_and_kills_what_is_not_protected() -> None:
    """Two tasks work from second 100 to 400; their successors, asked for at 200, are ready at 240."""
    arrivals = np.zeros(900, dtype=np.int64)
    arrivals[100] = 2
    load = Load(name="long", arrivals=arrivals, work_seconds=300.0)
    protected = run(fixed(2, task=Task(protected=True)), load, assumptions=FIXED, deployments=(200,))
    assert (protected.killed, protected.done) == (0, 2)
    assert protected.minutes.running[2:8] == [2, 2, 4, 4, 2, 2]
    assert protected.task_seconds == pytest.approx(2 * 400 + 2 * (900 - 200), abs=2)
    service = fixed(2, task=Task(stop_timeout=30), queue=Queue(visibility_timeout=350))
    plain = run(service, load, assumptions=FIXED, deployments=(200,))
    # Stopped at 240, killed at 270, in sight again at 450, done at 750.
    assert (plain.killed, plain.done) == (2, 2)
    assert plain.ages.oldest == pytest.approx(750 - 100, abs=2)


@settings(max_examples=15, deadline=None)
@given(
    heights=st.lists(st.integers(0, 30), min_size=3, max_size=8).filter(any),
    work=st.sampled_from([0.5, 5.0, 60.0]),
    deployment=st.integers(0, 1000),
    concurrency=st.sampled_from([1, 5]),
    prefetches=st.booleans(),
    seed=st.integers(0, 9),
)
def test_whatever_happens_no_task_is_stopped_that_is_protected(
    heights: list[int], work: float, deployment: int, concurrency: int, prefetches: bool, seed: int
) -> None:
    """Waves of messages, a policy that scales in by one every minute, and two deployments."""
    arrivals = np.random.default_rng(seed).poisson(np.repeat(np.array(heights) / work, 300))
    if not arrivals.any():
        arrivals[0] = 1

    class Watched(ExactRun):
        def _stop(self, task: RunningTask, moment: float) -> None:
            # What ECS refused to protect is not.
            assert task.resting or all(moment - begun <= drain for begun in task.working.values())
            super()._stop(task, moment)

    task = Task(protected=True, stop_timeout=20, concurrency=concurrency, prefetches=prefetches)
    service = article(cooldowns=(60, 0), steps={5: 5}, bounds=(0, 50), task=task, queue=Queue(visibility_timeout=90))
    load = Load(name="waves", arrivals=arrivals, work_seconds=work)
    drain = service.task.drain
    control = Control(service, assumptions=Assumptions())
    run = Watched(
        service, load, control, assumptions=Assumptions(), deployments=(deployment, deployment + 90), seed=seed
    )
    assert run.run().residual == 0


def test_what_was_fetched_ahead_goes_back_at_once_when_its_task_stops() -> None:
    """One task holds ten messages of 2 s when it is told to stop; another one does those that it has not begun."""
    arrivals = np.zeros(600, dtype=np.int64)
    arrivals[290] = 20
    load = Load(name="ahead", arrivals=arrivals, work_seconds=2.0)
    task = Task(prefetches=True)
    queue = Queue(visibility_timeout=120)
    track = run(shrinking(2, to=1, task=task, queue=queue), load, assumptions=FIXED)
    assert (track.killed, track.done) == (0, 20)
    # Two tasks do ten of them until second 300, when one is at work in each; the other one does the nine left alone.
    assert track.ages.oldest == pytest.approx(300 + 2 * 9.5 - 290, abs=3)


def test_a_receive_brings_ten_messages_at_most() -> None:
    """25 messages for a task of 40 handlers: all at work at once, after three receives."""
    arrivals = np.zeros(60, dtype=np.int64)
    arrivals[0] = 25
    load = Load(name="batch", arrivals=arrivals, work_seconds=30.0)
    track = run(fixed(1, task=Task(concurrency=40)), load, assumptions=FIXED)
    assert track.ages.oldest == pytest.approx(30, abs=0.01)


def test_poison_holds_up_its_fifo_group_until_it_is_a_dead_letter() -> None:
    """Received at 0, 60 and 120, dead at 180; the three healthy ones behind it take a second each then."""
    healthy, poison = np.zeros(600, dtype=np.int64), np.zeros(600, dtype=np.int64)
    poison[0], healthy[1] = 1, 3
    load = Load(name="blocked", arrivals=healthy, poison=poison, work_seconds=1.0, groups=1)
    queue = Queue(fifo=True, visibility_timeout=60, max_receive_count=3)
    track = run(fixed(5, queue=queue), load, assumptions=FIXED)
    assert (track.dead_lettered, track.done) == (1, 3)
    assert np.diff(ages_of(track)).tolist() == pytest.approx([1, 1], abs=1)
    assert track.ages.oldest == pytest.approx(180 + 3 - 1.5, abs=1.5)
    assert track.minutes.visible[:4] == [3, 3, 3, 0]


def test_poison_that_nobody_calls_dead_expires_at_last() -> None:
    """In sight every 60 s, from within the first second on; within second 660 it is too old for the first time."""
    healthy, poison = np.zeros(900, dtype=np.int64), np.zeros(900, dtype=np.int64)
    healthy[0], poison[0] = 1, 5
    load = Load(name="endless", arrivals=healthy, poison=poison, work_seconds=1.0)
    track = run(fixed(6, queue=Queue(visibility_timeout=60, retention=600)), load, assumptions=FIXED)
    assert (track.done, track.expired, track.dead_lettered) == (1, 5, 0)
    assert [round(count) for count in track.minutes.in_flight[9:12]] == [5, 5, 0]


def test_a_fifo_group_is_worked_off_one_by_one() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[0] = 20
    load = Load(name="groups", arrivals=arrivals, work_seconds=10.0, groups=1)
    track = run(fixed(10, queue=Queue(fifo=True), task=Task(concurrency=10)), load, assumptions=FIXED)
    assert track.ages.oldest == pytest.approx(200, abs=1)
    many = run(fixed(10, queue=Queue(), task=Task(concurrency=10)), load, assumptions=FIXED)
    assert many.ages.oldest == pytest.approx(10, abs=1)


def test_a_message_that_fails_holds_up_its_fifo_group_only() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[10] = 1000
    flags = np.zeros(HOUR, dtype=np.bool_)
    flags[10:12] = True
    load = Load(name="groups", arrivals=arrivals, work_seconds=0.5, groups=50, outage=flags)
    track = run(fixed(100, queue=Queue(fifo=True, visibility_timeout=60)), load, assumptions=FIXED)
    assert track.done == 1000
    assert track.ages.oldest > 60


def test_a_deployment_stops_each_old_task_once_a_new_one_works() -> None:
    load = steady(4, seconds=HOUR)
    track = run(fixed(5), load, assumptions=FIXED, deployments=(600,))
    assert set(track.minutes.running) == {5}
    assert track.task_seconds == pytest.approx(5 * HOUR + 5 * 40)


def test_while_a_deployment_runs_nothing_scales_in() -> None:
    quiet = Load(name="quiet", arrivals=np.append(np.zeros(599, dtype=np.int64), 1))
    slow = Assumptions(launch_median=120, launch_sigma=0, queue_lag=0)
    track = run(article(cooldowns=(0, 0)), quiet, assumptions=slow, deployments=(30,))
    # In minutes 1 and 2 the deployment of second 30 still runs.
    assert track.minutes.desired[:4] == [5, 5, 4, 3]


def test_the_runtimes_prefetching_costs_little_and_loses_nothing() -> None:
    load = steady(30, seconds=HOUR // 3)
    plain = run(fixed(2, task=Task(concurrency=10)), load)
    ahead = run(fixed(2, task=Task(concurrency=10, prefetches=True)), load)
    assert ahead.done == pytest.approx(plain.done, rel=0.005)
    assert ahead.ages.percentile(50) == pytest.approx(plain.ages.percentile(50), abs=0.2)


@pytest.mark.parametrize("work", [0.01, 0.5, 2.0, 2.1, 30.0])
@pytest.mark.parametrize("concurrency", [1, 5, 10, 40])
def test_a_task_asks_as_the_runtime_asks(work: float, concurrency: int) -> None:
    for held in range(0, 60, 3):
        for per_second in (0.0, 5.0, 80.0):
            ours = ask_for(
                held,
                concurrency=concurrency,
                prefetches=True,
                work_seconds=work,
                per_second=per_second,
                visibility=120,
            )
            assert ours == credit.ask_for(
                held, concurrency=concurrency, mean_seconds=work, per_second=per_second, largest_batch=10, lease=120
            )


@pytest.mark.parametrize("failures", range(1, 40))
def test_pauses_are_the_runtimes(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: (least, most))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    longest = longest_pause(failures)
    assert backoff.equal_jitter(failures) == (longest / 2, longest)


def test_a_killed_message_comes_back_after_its_visibility_timeout_and_not_after_a_pause() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    task = Task(stop_timeout=30, backs_off=True, max_attempts=10)
    track = run(shrinking(8, to=3, task=task, queue=Queue(visibility_timeout=900)), load, assumptions=FIXED)
    assert (track.killed, track.done, track.dead_lettered) == (5, 8, 0)
    # Received at 200, in sight again at 1100, and three at a time.
    assert track.ages.oldest == pytest.approx(900 + 2 * 250, abs=2)


def test_the_same_seed_gives_the_same_ages() -> None:
    load = steady(4, seconds=600)
    assert ages_of(run(fixed(3), load, seed=5)).tolist() == ages_of(run(fixed(3), load, seed=5)).tolist()

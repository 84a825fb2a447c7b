"""The fast engine, against what can be calculated by other means."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.engines.fluid.ages import Ages, segments
from fargate_workers_toolkit.simulation.engines.fluid.queue import Begun, FluidQueue, begun
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in, steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScheduledAction, Task
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import article, fixed

EXACT_WORK = Assumptions(service_times="fixed")
HOUR = 3600


def failing(*, seconds: int, outage: tuple[int, int], rate: int) -> Load:
    flags = np.zeros(seconds, dtype=np.bool_)
    flags[slice(*outage)] = True
    return Load(name="failing", arrivals=np.full(seconds, rate), work_seconds=0.1, outage=flags)


@settings(max_examples=30, deadline=None)
@given(
    arrivals=st.lists(st.integers(0, 50), min_size=60, max_size=240),
    capacities=st.lists(st.floats(0, 60), min_size=4, max_size=4),
)
def test_a_minute_at_once_serves_what_second_after_second_would(arrivals: list[int], capacities: list[float]) -> None:
    queue = FluidQueue(np.array(arrivals), retention=10**6)
    level, entered, expected = 0.0, 0, []
    for begin in range(0, len(arrivals), 60):
        end, capacity = min(begin + 60, len(arrivals)), capacities[begin // 60]
        queue.serve_minute(begin, end, capacity, work=0.5, begun=Begun(0.0, 0.0))
        for number in arrivals[begin:end]:
            entered += number
            level = min(entered, level + capacity)
            expected.append(level)
    assert queue.served[1:].tolist() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 41),
)
def test_every_message_that_began_is_in_one_segment_in_the_order_in_which_it_came(
    counts: list[tuple[int, int]], stretch: int
) -> None:
    entered = np.concatenate(([0.0], np.cumsum([number for number, _ in counts])))
    finished = np.minimum(entered, np.concatenate(([0.0], np.cumsum([number for _, number in counts]))))
    curve = begun(entered, finished, np.zeros(len(entered)))
    messages = [second for second, (number, _) in enumerate(counts) for _ in range(number)]
    told: list[tuple[int, int]] = []
    for parts in segments(entered, curve, stretch=stretch):
        for number, enters, begins in zip(parts.messages, parts.entered, parts.begun, strict=True):
            told += [(int(enters), int(begins))] * round(number)
    assert [enters for enters, _ in told] == messages[: len(told)]
    assert len(told) == curve[-1]
    assert all(curve[begins + 1] > index >= curve[begins] for index, (_, begins) in enumerate(told))


def test_ages_are_waits_and_the_time_of_the_work() -> None:
    ages = Ages(exponential=True)
    ages.add(np.array([0]), np.array([1000.0]), work_seconds=2.0)
    assert ages.percentile(50) == pytest.approx(2 * math.log(2), abs=0.02)
    assert ages.percentile(99) == pytest.approx(2 * math.log(100), abs=0.02)
    assert ages.older_than(4) == pytest.approx(1000 * math.exp(-2))
    even = Ages(exponential=False)
    even.add(np.array([0, 10]), np.array([3.0, 1.0]), work_seconds=2.0)
    assert (even.percentile(50), even.percentile(99)) == (pytest.approx(2, abs=0.02), pytest.approx(12, abs=0.02))
    assert even.older_than(5) == 1


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_poison_that_waits_behind_a_backlog_fails_once_it_is_reached(engine: Engine) -> None:
    """3000 messages at two a second keep the poison waiting for 25 minutes; then each fails twice."""
    arrivals, poison = np.zeros(HOUR, dtype=np.int64), np.zeros(HOUR, dtype=np.int64)
    arrivals[0], poison[10] = 3000, 60
    load = Load(name="late poison", arrivals=arrivals, work_seconds=0.5, poison=poison)
    service = fixed(1, queue=Queue(visibility_timeout=60, max_receive_count=2))
    result = simulate(service, load, slo=60, engine=engine, assumptions=EXACT_WORK)
    assert (round(result.done), round(result.dead_lettered), result.residual) == (3000, 60, 0)
    assert result.minutes.in_flight[25] >= 60


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("receives", [None, 3])
def test_no_message_is_lost_or_made(name: str, receives: int | None) -> None:
    service = article(queue=Queue(visibility_timeout=45, max_receive_count=receives, retention=7200))
    result = simulate(service, built_in(name), slo=300)
    assert result.residual == 0
    assert min(result.done, result.dead_lettered, result.expired, result.left, result.missed) >= 0


def test_all_poison_ends_as_dead_letters() -> None:
    result = simulate(article(queue=Queue(visibility_timeout=60, max_receive_count=5)), built_in("poison"), slo=300)
    assert result.dead_lettered == pytest.approx(20_188, abs=0.01)


@pytest.mark.parametrize(
    ("timeout", "receives", "outage"),
    [(30, 3, 3600), (60, 5, 1800), (120, 4, 3600), (20, 5, 300), (60, 5, 240), (60, 5, 120)],
)
def test_an_outage_costs_the_messages_that_ran_out_of_receives(timeout: int, receives: int, outage: int) -> None:
    """rate x (outage - (receives - 1) x visibility timeout), where consumers have room and fail at once."""
    load = failing(seconds=2 * HOUR, outage=(600, 600 + outage), rate=20)
    service = fixed(60, queue=Queue(visibility_timeout=timeout, max_receive_count=receives))
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK)
    expected = 20 * max(0, outage - (receives - 1) * timeout)
    assert result.dead_lettered == pytest.approx(expected, rel=0.01, abs=20)
    assert result.residual == 0


@pytest.mark.parametrize("engine", ["fluid", "exact"])
@pytest.mark.parametrize(
    ("attempts", "receives", "outage", "patience"),
    [(10, 100, 510, 771), (10, 100, 1800, 771), (3, 100, 300, 5.5), (10, 4, 300, 12), (12, None, 2400, 2122)],
)
def test_a_runtime_that_backs_off_gives_up_after_its_own_attempts(
    attempts: int, receives: int | None, outage: int, patience: float, engine: Engine
) -> None:
    """Messages are as patient as their pauses take together, whatever the visibility timeout is."""
    load = failing(seconds=2 * HOUR, outage=(600, 600 + outage), rate=2)
    task = Task(backs_off=True, max_attempts=attempts)
    service = fixed(60, task=task, queue=Queue(visibility_timeout=7200, max_receive_count=receives))
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK, engine=engine)
    assert result.dead_lettered == pytest.approx(2 * max(0, outage - patience), abs=20 + 0.02 * patience)
    assert result.residual == 0
    assert result.left <= 2


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_what_fails_shortly_is_done_shortly_after_and_not_when_it_would_be_visible_again(engine: Engine) -> None:
    load = failing(seconds=HOUR, outage=(600, 630), rate=2)
    service = fixed(9, task=Task(backs_off=True, max_attempts=10), queue=Queue(visibility_timeout=900))
    result = simulate(service, load, slo=120, assumptions=EXACT_WORK, engine=engine)
    assert (round(result.done), round(result.missed)) == (2 * HOUR, 0)
    assert 10 < result.oldest < 100


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_a_runtime_without_a_dead_letter_queue_backs_off_for_ever(engine: Engine) -> None:
    poison = np.zeros(4 * HOUR, dtype=np.int64)
    poison[60] = 20
    load = Load(name="poison", arrivals=np.full(4 * HOUR, 1), work_seconds=0.1, poison=poison)
    result = simulate(fixed(3, task=Task(backs_off=True)), load, slo=60, engine=engine)
    assert (round(result.left), round(result.dead_lettered), round(result.done)) == (20, 0, 4 * HOUR)


def test_what_fails_comes_back_as_old_as_it_is() -> None:
    load = failing(seconds=HOUR, outage=(600, 1200), rate=1)
    service = fixed(5, queue=Queue(visibility_timeout=60))
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK)
    # Each message is done at its first attempt after the outage, whole minutes old: 1 to 10, of 60 messages each.
    assert result.oldest == pytest.approx(600, abs=3)
    assert result.missed == pytest.approx(6 * 60, abs=3)


def test_messages_expire_at_the_end_of_their_retention() -> None:
    load = Load(name="much", arrivals=np.full(2 * HOUR, 10), work_seconds=1.0)
    result = simulate(fixed(5, queue=Queue(retention=600)), load, slo=300, assumptions=EXACT_WORK)
    # Half of what comes can be done; what waits is 600 seconds old at most.
    assert result.expired == pytest.approx(5 * 2 * HOUR - 600 * 10, rel=0.01)
    assert result.oldest == pytest.approx(601, abs=3)
    assert result.residual == 0


def test_a_rate_limit_holds_whatever_the_tasks_could_do() -> None:
    load = Load(name="much", arrivals=np.full(HOUR, 10), work_seconds=1.0)
    result = simulate(fixed(50, task=Task(rate_limit=4)), load, slo=300, assumptions=EXACT_WORK)
    assert result.done == pytest.approx(4 * HOUR, rel=0.02)


@pytest.mark.parametrize(
    ("servers", "load", "wait"), [(1, 0.7, 1.167), (4, 0.8, 0.373), (10, 0.9, 0.334), (20, 0.95, 0.378)]
)
def test_the_mean_wait_is_within_a_second_of_erlangs(servers: int, load: float, wait: float) -> None:
    result = simulate(fixed(servers), steady(servers * load / 0.5), slo=300)
    longest = result.p99
    assert longest < 10 * (wait + 1)
    mean = np.mean(result.minutes.visible) / (servers * load / 0.5)
    assert mean == pytest.approx(wait, abs=1)


def test_long_work_begins_at_once_while_slots_are_free() -> None:
    arrivals = np.zeros(600, dtype=np.int64)
    arrivals[100] = 10
    load = Load(name="ten", arrivals=arrivals, work_seconds=50.0)
    result = simulate(fixed(2, task=Task(concurrency=4)), load, slo=300, assumptions=EXACT_WORK)
    # Eight begin at once, two when the first are done.
    assert result.p50 == pytest.approx(50, abs=1)
    assert 90 <= result.oldest <= 101


def test_tasks_that_start_serve_from_then_on_and_cost_from_their_launch() -> None:
    still = Assumptions(service_times="fixed", launch_sigma=0, queue_lag=0)
    load = Load(name="much", arrivals=np.full(HOUR, 45), work_seconds=0.5)
    result = simulate(article(bounds=(1, 20), cooldowns=(0, 600)), load, slo=300, assumptions=still)
    assert result.peak == 20
    assert result.minutes.running[0:3] == [5, 15, 20]
    assert result.task_hours == pytest.approx(20, rel=0.05)


def test_a_load_may_end_within_a_minute() -> None:
    result = simulate(fixed(1), Load(name="short", arrivals=np.full(90, 1), work_seconds=0.1), slo=1)
    assert result.residual == 0
    assert len(result.minutes.desired) == 2


def test_only_work_that_outlasts_the_stop_timeout_is_killed() -> None:
    def killed(**changes: float | bool) -> float:
        task = replace(Task(stop_timeout=30), **changes)  # type: ignore[arg-type]
        load = Load(name="wave", arrivals=built_in("burst").arrivals // 10, work_seconds=20.0)
        return simulate(article(task=task, steps={5: 5}, cooldowns=(60, 60)), load, slo=300).killed

    assert killed(stop_timeout=10.0) > killed() > killed(stop_timeout=120.0)
    assert killed(protected=True, stop_timeout=120.0) == 0


@pytest.mark.parametrize(("sent", "killed", "running"), [(200, 0, 8), (290, 5, 3)])
def test_only_a_handler_that_has_run_for_longer_than_the_drain_is_protected(
    sent: int, killed: int, running: int
) -> None:
    """As message by message."""
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[sent] = 8
    service = replace(
        fixed(8, task=Task(protected=True), queue=Queue(visibility_timeout=300)),
        bounds=Bounds(3, 8),
        scheduled=[ScheduledAction(name="Down", minute=5, maximum=3)],
    )
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK)
    assert (result.killed, result.done, result.residual) == (killed, 8, 0)
    assert result.minutes.running[5] == running


def test_what_is_killed_comes_back_after_its_visibility_timeout_and_is_done_later() -> None:
    """As message by message: received at 200, killed at 330, in sight again at 500, done 250 or 500 seconds later."""
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    service = replace(
        fixed(8, task=Task(stop_timeout=30), queue=Queue(visibility_timeout=300)),
        bounds=Bounds(3, 8),
        scheduled=[ScheduledAction(name="Down", minute=5, maximum=3)],
    )
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK)
    # 5 of 8 tasks stop, and 30 of 250 seconds of the work end in time: 4.4, whole messages only.
    assert (result.killed, result.done) == (4, 8)
    assert result.residual == 0
    assert 700 < result.p99 < 810


def test_what_is_killed_once_too_often_is_a_dead_letter() -> None:
    arrivals = np.zeros(HOUR, dtype=np.int64)
    arrivals[200] = 8
    service = replace(
        fixed(8, task=Task(stop_timeout=30), queue=Queue(visibility_timeout=300, max_receive_count=1)),
        bounds=Bounds(3, 8),
        scheduled=[ScheduledAction(name="Down", minute=5, maximum=3)],
    )
    load = Load(name="long", arrivals=arrivals, work_seconds=250.0)
    result = simulate(service, load, slo=300, assumptions=EXACT_WORK)
    assert (result.dead_lettered, result.done, result.residual) == (4, 4, 0)


@pytest.mark.parametrize(("rates", "expired"), [([5, 20], 24_000), ([20, 5], 30_000)])
def test_messages_expire_also_on_a_day_on_which_others_never_wait(rates: list[int], expired: int) -> None:
    """An hour of 20 a second for tasks that can do 10: 36,000 too many. Of them 12,000 are waiting for ten minutes, or
    less, when it ends; an hour at ease that follows saves 6,000 of these."""
    load = Load(name="both", arrivals=np.repeat(rates, HOUR), work_seconds=0.5)
    result = simulate(fixed(5, queue=Queue(retention=600)), load, slo=60, assumptions=EXACT_WORK)
    assert result.residual == 0
    assert result.expired == pytest.approx(expired, rel=0.01)
    assert result.oldest <= 601


def test_the_age_of_the_oldest_message_is_there_for_policies_that_look_at_it() -> None:
    from fargate_workers_toolkit.simulation.model import Alarm, Metric, Query

    service = article()
    old = Alarm(
        name="Old",
        query=Query(metrics={"age": Metric(source="oldest_age")}),
        comparison="GreaterThanThreshold",
        threshold=60,
        policies=["Out"],
    )
    load = Load(name="much", arrivals=np.full(HOUR, 20), work_seconds=0.5)
    result: Result = simulate(replace(service, alarms=[old]), load, slo=300)
    assert result.peak > 5
    assert max(result.minutes.oldest_age) > 60

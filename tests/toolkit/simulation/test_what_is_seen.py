"""What SQS's metrics show of a queue, whichever engine simulates it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.loads.built_in import steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScheduledAction, Source
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import fixed

EVEN = Assumptions(service_times="fixed")
ENGINES = pytest.mark.parametrize("engine", ["fluid", "exact"])


class Witness:
    """A planner that plans nothing and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        del desired
        self.seen.append(seen)
        return {}


def witnessed(load: Load, *, engine: Engine, tasks: int = 1, queue: Queue | None = None) -> list[Observation]:
    witness = Witness()
    simulate(fixed(tasks, queue=queue), load, slo=60, engine=engine, assumptions=EVEN, planner=witness)
    return witness.seen


def sent(at: Mapping[int, int], *, minutes: int, work_seconds: float, poison: Mapping[int, int] | None = None) -> Load:
    arrivals, bad = np.zeros(60 * minutes, dtype=np.int64), np.zeros(60 * minutes, dtype=np.int64)
    for counts, array in ((at, arrivals), (poison or {}, bad)):
        for second, count in counts.items():
            array[second] = count
    return Load(name="few", arrivals=arrivals, work_seconds=work_seconds, poison=bad if poison else None)


@ENGINES
def test_a_message_at_work_is_the_oldest_until_it_is_done(engine: Engine) -> None:
    seen = witnessed(sent({0: 1}, minutes=3, work_seconds=100.0), engine=engine)
    assert [minute.oldest_age for minute in seen] == [pytest.approx(59.5, abs=0.5), 0, 0]


@ENGINES
def test_of_messages_that_wait_the_one_at_work_is_the_oldest(engine: Engine) -> None:
    """One task, 50 s each: at 60 s the second of three is at work, sent like all of them within the first second."""
    seen = witnessed(sent({0: 3}, minutes=1, work_seconds=50.0), engine=engine)
    assert (seen[0].oldest_age, seen[0].visible, seen[0].in_flight) == (pytest.approx(59.5, abs=0.5), 1, 1)


@ENGINES
def test_a_message_received_three_times_has_no_age(engine: Engine) -> None:
    """Received at 0, 50 and 100 s; a message sent at 110 s is the oldest that counts."""
    queue = Queue(visibility_timeout=50, max_receive_count=9)
    load = sent({110: 1}, minutes=3, work_seconds=1.0, poison={0: 1})
    seen = witnessed(load, engine=engine, queue=queue)
    assert [minute.oldest_age for minute in seen] == [pytest.approx(59.5, abs=0.5), 0, 0]
    assert [minute.in_flight for minute in seen] == [1, 1, 1]


@ENGINES
def test_a_message_out_of_sight_after_a_failure_keeps_its_age(engine: Engine) -> None:
    queue = Queue(visibility_timeout=170, max_receive_count=9)
    seen = witnessed(sent({179: 1}, minutes=3, work_seconds=1.0, poison={0: 1}), engine=engine, queue=queue)
    assert [minute.oldest_age for minute in seen] == [pytest.approx(age - 0.5, abs=0.5) for age in (60, 120, 180)]


@ENGINES
def test_counts_are_whole_and_right_on_average(engine: Engine) -> None:
    """One message a second that takes 0.3 s: mostly none in flight, never 0.3 of one."""
    counts = [minute.in_flight for minute in witnessed(steady(1, work_seconds=0.3), engine=engine, tasks=5)]
    assert all(count == int(count) for count in counts)
    assert np.mean(counts) == pytest.approx(0.3, abs=0.06)
    assert counts.count(0) > len(counts) / 2


@ENGINES
def test_from_the_most_messages_in_flight_on_nothing_more_is_received(engine: Engine) -> None:
    """Ten a second fail, out of sight for 20 minutes: after 100 s a queue of at most 1000 in flight is stuck."""
    arrivals, failing = np.full(1800, 10), np.ones(1800, dtype=np.bool_)
    load = Load(name="stuck", arrivals=arrivals, work_seconds=0.1, outage=failing)
    queue = Queue(visibility_timeout=1200, most_in_flight=1000)
    seen = witnessed(load, engine=engine, tasks=10, queue=queue)
    assert [round(minute.in_flight, -2) for minute in seen[:4]] == [600, 1000, 1000, 1000]
    # As a fluid, those at work in the ten tasks may count twice.
    assert max(minute.in_flight for minute in seen) <= 1020
    assert seen[9].visible == pytest.approx(600 * 10 - 1000, abs=20)


@ENGINES
def test_messages_that_nobody_receives_expire_by_themselves(engine: Engine) -> None:
    """No task runs; of 5 messages a second those of the last ten minutes are left."""
    load = Load(name="unread", arrivals=np.full(1800, 5), work_seconds=1.0)
    seen = witnessed(load, engine=engine, tasks=0, queue=Queue(retention=600))
    assert [minute.visible for minute in seen[8:12]] == [
        2700,
        3000,
        pytest.approx(3000, abs=5),
        pytest.approx(3000, abs=5),
    ]
    assert seen[29].oldest_age == pytest.approx(600, abs=1)


@ENGINES
def test_the_processor_is_as_busy_as_its_tasks_are_while_they_run(engine: Engine) -> None:
    """One task is always busy; so is the second one, which starts in the middle of the second minute."""
    witness = Witness()
    service = replace(fixed(1), bounds=Bounds(1, 2), scheduled=[ScheduledAction(name="Up", minute=1, minimum=2)])
    load = Load(name="much", arrivals=np.full(240, 9), work_seconds=0.5)
    even = replace(EVEN, launch_median=30, launch_sigma=0)
    simulate(service, load, slo=60, engine=engine, assumptions=even, planner=witness)
    assert [seen.running for seen in witness.seen] == [1, 2, 2, 2]
    assert [seen.cpu for seen in witness.seen] == pytest.approx([100] * 4, abs=2)

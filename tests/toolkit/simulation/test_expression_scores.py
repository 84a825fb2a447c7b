"""Scaling by latency without a function, scored as synthesized: the planner's loads and setting."""

from dataclasses import replace
from functools import partial
from statistics import mean

import numpy as np
import pytest
from aws_cdk import Duration

from benchmarks.scaling.contestants import most_tasks
from benchmarks.scaling.five_loads import SEEDS, Score, queue_of, results, score
from fargate_workers import Scaling
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.synthesized import synthesized


def scaling(*, milliseconds: int = 500, min_tasks: int = 1, minutes: int = 5) -> Scaling:
    return Scaling.for_latency(
        function=False,
        processing_time=Duration.millis(milliseconds),
        acceptable_latency=Duration.minutes(minutes),
        min_tasks=min_tasks,
        max_tasks=50,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScaledService]:
    """As the planner is scored: five tasks to begin with, and none that fetches ahead."""
    scalings = {
        "Orders": scaling(),
        "Guessed": scaling(milliseconds=100),
        "Patient": scaling(minutes=30),
        "Drip": scaling(milliseconds=20_000, min_tasks=0),
    }
    read = synthesized(scalings, tmp_path_factory.mktemp("cdk.out"))
    return {name: replace(service, initial_tasks=5, task=Task(protected=True)) for name, service in read.items()}


def run(service: ScaledService, load: Load, queue: Queue, seed: int) -> Result:
    return simulate(replace(service, queue=queue), load, slo=300, seed=seed)


def days(service: ScaledService, name: str) -> list[Result]:
    queue = Queue(visibility_timeout=120) if name == "drip" else queue_of(name)
    return [run(service, built_in(name, seed=seed), queue, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def scored(services: dict[str, ScaledService]) -> Score:
    return score(results(partial(run, services["Orders"])), unavoidable=results(most_tasks))


def test_the_simulator_needs_to_know_nothing_but_the_template(services: dict[str, ScaledService]) -> None:
    assert {service.planner for service in services.values()} == {None}
    assert {len(service.alarms) for name, service in services.items() if name != "Drip"} == {2}


def test_no_message_is_too_old_that_could_have_been_in_time(scored: Score) -> None:
    assert scored.avoidable_misses == pytest.approx(0, abs=1e-3)


def test_the_server_loads_take_1300_task_hours_at_most(scored: Score) -> None:
    assert scored.task_hours <= 1_300


def test_the_fleet_turns_around_90_times_a_day_at_most(scored: Score) -> None:
    assert scored.reversals <= 90


def test_a_processing_time_that_was_guessed_too_short_costs_reversals_and_no_message(
    services: dict[str, ScaledService],
) -> None:
    guessed = days(services["Guessed"], "diurnal")
    assert mean(result.missed_percent for result in guessed) <= 1e-9
    assert mean(result.task_hours for result in guessed) <= 350
    assert mean(result.reversals for result in guessed) <= 100


def test_an_hourly_spike_is_spread_over_a_longer_budget(services: dict[str, ScaledService]) -> None:
    arrivals = np.random.default_rng(0).poisson(3.0, 86_400)
    for begin in range(600, 86_400, 3_600):
        arrivals[begin : begin + 30] += 200
    load = Load(name="hourly", arrivals=arrivals, work_seconds=0.5)
    hasty, patient = (simulate(services[name], load, slo=1_800) for name in ("Orders", "Patient"))
    assert patient.missed_percent <= 1e-9
    assert patient.task_hours <= 90
    assert patient.peak <= hasty.peak / 4


def test_a_drip_wakes_the_service_in_time_but_for_one_message_in_a_hundred(
    services: dict[str, ScaledService],
) -> None:
    drip = days(services["Drip"], "drip")
    assert mean(result.missed_percent for result in drip) <= 1
    assert mean(result.task_hours for result in drip) <= 16.2  # KEDA with a queue length of 10

"""A function that drains a queue, read from a template and simulated by Lambda's rule."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aws_cdk import App, Duration, Stack
from typer.testing import CliRunner

from fargate_workers import QueueFunction, worker_image
from fargate_workers_toolkit.aws_behaviour import Bounds
from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control import FunctionControl, Observation, as_a_function
from fargate_workers_toolkit.simulation.invocations import billed, invocations
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import FunctionUse, ScaledService, Task
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from fargate_workers_toolkit.simulation.track import Minutes

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "Plain": {},
    "Large": {"batch_size": 100, "batch_window": Duration.seconds(1), "max_concurrency": 400, "concurrency": 20},
    "Small": {"max_concurrency": 2, "memory_mib": 1_769},
    "Ready": {"provisioned_pollers": (2, 5)},
    "Ordered": {"fifo": True},
}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image, folder = tmp_path_factory.mktemp("image"), tmp_path_factory.mktemp("cdk.out")
    (image / "Dockerfile").write_text("FROM scratch\n")
    cdk = App(outdir=str(folder), context={"aws:cdk:enable-path-metadata": True})
    stack = Stack(cdk, "Shop")
    for name, options in OPTIONS.items():
        QueueFunction(stack, name, image=worker_image(image), command="orders", **options)
    cdk.synth()
    return folder


def read(assembly: Path, name: str) -> ScaledService:
    return read_service(assembly, name=f"Shop/{name}")


def test_a_function_is_read_with_its_queue_its_size_and_its_limit(assembly: Path) -> None:
    plain = read(assembly, "Plain")
    assert plain.name == "Shop/Plain"
    assert (plain.bounds, plain.initial_tasks) == (Bounds(5, 10), 5)
    assert (plain.queue.visibility_timeout, plain.queue.max_receive_count) == (420, 100)
    assert (plain.task.concurrency, plain.task.gibibytes, plain.task.max_attempts) == (10, 0.5, 10)
    assert plain.function == FunctionUse(batch_size=10, more_a_minute=300)


def test_batches_and_pollers_are_read_too(assembly: Path) -> None:
    large, small, ready = (read(assembly, name) for name in ("Large", "Small", "Ready"))
    assert (large.bounds, large.task.concurrency) == (Bounds(5, 400), 20)
    assert large.function == FunctionUse(batch_size=100)
    assert (small.bounds, small.task.vcpus) == (Bounds(2, 2), 1)
    assert (ready.bounds, ready.function) == (Bounds(20, 50), FunctionUse(more_a_minute=1_000))


def test_nothing_is_recommended_for_what_lambda_scales(assembly: Path) -> None:
    result = CliRunner().invoke(app, ["recommend", str(assembly), "--service", "Shop/Plain", "--slo", "300"])
    assert result.exit_code == 2
    assert "Shop/Plain is a function, which Lambda scales by its own rule" in result.output


def test_a_service_comes_first_where_nothing_is_named(assembly: Path) -> None:
    with pytest.raises(SimulationError, match="has 5 scaled services; choose one with --service: Shop/Plain"):
        read_service(assembly)


def test_a_fifo_queue_is_refused(assembly: Path) -> None:
    with pytest.raises(SimulationError, match="only a function on a standard queue"):
        read(assembly, "Ordered")


SERVICE = ScaledService(
    name="f",
    bounds=Bounds(5, 500),
    initial_tasks=5,
    task=Task(concurrency=10, gibibytes=0.5, backs_off=True),
    steps={},
    function=FunctionUse(),
)


def test_lambda_adds_three_hundred_a_minute_while_messages_wait_and_keeps_what_is_at_work() -> None:
    control = FunctionControl(SERVICE, FunctionUse(), assumptions=Assumptions())
    wanted = [control.minute(Observation(visible=waiting, in_flight=busy)) for waiting, busy in ((9, 50), (9, 50))]
    assert wanted == [305, 500]
    assert control.minute(Observation(in_flight=95)) == 10
    assert control.minute(Observation()) == 5
    assert [event.detail for event in control.events] == ["5 -> 305", "305 -> 500", "500 -> 10", "10 -> 5"]


def test_environments_start_within_a_second_and_are_not_taken_back() -> None:
    changed = as_a_function(Assumptions(failed_starts=0.5, spot_interruptions=1))
    assert (changed.launch_median, changed.failed_starts, changed.spot_interruptions) == (1.0, 0, 0)


def test_full_batches_are_billed_in_a_rush_and_single_messages_in_a_trickle() -> None:
    counts = np.array([60, *[0] * 59, 6_000, *[0] * 59, *[1] * 60])
    load = Load(name="l", arrivals=counts, work_seconds=0.5)
    found = invocations(load, Minutes(visible=[0, 40, 0]), FunctionUse(batch_size=10))
    assert [(each.number, each.messages) for each in found] == [(60, 1), (600, 10), (6, 10)]
    bill = billed(found, work_seconds=0.5, side_by_side=5)
    assert bill.invocations == 666
    assert bill.seconds == pytest.approx(60 * 0.5 + 606 * 2 * 0.5)


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_a_function_is_simulated_and_priced_by_what_runs(engine: Engine) -> None:
    load = Load(name="rush", arrivals=np.array([200] * 60 + [0] * 540), work_seconds=2.0)
    result = simulate(SERVICE, load, slo=300, engine=engine)
    assert round(result.residual) == 0
    assert result.lost == 0
    idle = simulate(replace(SERVICE, bounds=Bounds(5, 1_000)), load, slo=300, engine=engine)
    # What may run costs nothing; what runs does.
    assert idle.cost == pytest.approx(result.cost, rel=0.2)
    work = load.messages * float(np.mean(load.work_by_second))
    assert result.cost < work * 0.5 * 0.0000133334 + load.messages * 0.0000002
    assert result.task_hours <= work / 3600


def test_more_at_once_is_sooner(assembly: Path) -> None:
    load = Load(name="rush", arrivals=np.array([50] * 60 + [0] * 540), work_seconds=2.0)
    few, many = (simulate(each, load, slo=300) for each in (read(assembly, "Small"), SERVICE))
    assert many.p99 < few.p99

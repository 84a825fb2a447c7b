"""What the simulator predicts from a template, the local environment does with it.

Workers, one for each kind of scaling, are deployed into an embedded AWS whose minutes end by hand. Everything that
decides is the real thing: alarms, policies, the planner's function with its calls to AWS. Tasks are real processes that
work at a known pace. The simulator reads the same assembly, and is told how quick the local environment is.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_workers_toolkit.local import deployment, embedded_aws, tools, virtual_environment
from fargate_workers_toolkit.local.bootstrap import bootstrap
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.end_to_end.local import scaled_workers
from tests.end_to_end.local.foreman import Foreman
from tests.end_to_end.local.scaled_run import ScaledRun

pytestmark = pytest.mark.local

# Messages by the minute: a trickle, more than one task can bear, much more, less, and a trickle again for long enough
# that everything scales in.
LOAD = [2] * 4 + [15] * 7 + [33] * 3 + [10] * 13 + [2] * 16
WORK_SECONDS = 15.0
WORKERS = list(scaled_workers.SCALINGS)

# How the local environment is where AWS leaves things open: metrics can be seen and tasks work within their minute.
LOCAL = Assumptions(queue_lag=0, service_lag=0, worker_lag=0, launch_median=0, launch_sigma=0, service_times="fixed")

Counts = Sequence[int]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace(Path(__file__).parents[3], name="test-agreement", assembly_name="test-agreement.out")


@pytest.fixture(scope="module")
def seen(workspace: Workspace) -> Iterator[Mapping[str, Counts]]:
    """The desired tasks of each worker at the end of each minute, in the local environment."""
    shutil.rmtree(workspace.assembly, ignore_errors=True)
    foreman = Foreman()
    scaled_workers.synthesize(workspace.assembly, foreman_port=foreman.port, work_seconds=WORK_SECONDS)
    aws = embedded_aws.start(
        workspace,
        interpreter=virtual_environment.prepare(workspace.venv),
        region=scaled_workers.REGION,
        seconds_per_minute=None,
        port=embedded_aws.find_port(None),
        owned=True,
    )
    try:
        cdk = tools.find_cdk(workspace.root)
        bootstrap(workspace, aws, cdk=cdk)
        deployment.deploy(workspace, aws, cdk=cdk)
        run = ScaledRun(aws, Assembly.load(workspace.assembly), foreman, workers=WORKERS)
        yield run.play(LOAD, pace=round(60 / WORK_SECONDS))
    finally:
        embedded_aws.stop(workspace)
        foreman.close()


@pytest.mark.parametrize("engine", ["fluid", "exact"])
@pytest.mark.parametrize("worker", WORKERS)
def test_the_local_environment_does_what_the_simulator_predicts(
    worker: str, engine: Engine, seen: Mapping[str, Counts], workspace: Workspace
) -> None:
    predicted = predict(read_service(workspace.assembly, name=worker), engine=engine)
    assert disagreements(predicted, seen[worker]) == [], f"predicted {predicted}, saw {seen[worker]}"


@pytest.mark.parametrize("worker", WORKERS)
def test_there_was_something_to_predict(worker: str, seen: Mapping[str, Counts]) -> None:
    counts = seen[worker]
    assert counts[0] == counts[-1] == 1
    assert max(counts) >= 7
    assert len(set(counts)) >= 3


def tracking(**changes: Any) -> Callable[[ScaledService], ScaledService]:
    """Target tracking with other rules than AWS's."""
    return lambda service: replace(
        service, tracking=[replace(each, policy=replace(each.policy, **changes)) for each in service.tracking]
    )


def alarms(**changes: Any) -> Callable[[ScaledService], ScaledService]:
    return lambda service: replace(service, alarms=[replace(each, **changes) for each in service.alarms])


def cooldown(seconds: float) -> Callable[[ScaledService], ScaledService]:
    return lambda service: replace(
        service, steps={name: replace(policy, cooldown=seconds) for name, policy in service.steps.items()}
    )


def planner(**changes: Any) -> Callable[[ScaledService], ScaledService]:
    def changed(service: ScaledService) -> ScaledService:
        assert service.planner is not None
        return replace(service, planner=replace(service.planner, policy={**service.planner.policy, **changes}))

    return changed


@pytest.mark.parametrize(
    ("worker", "wrong"),
    [
        pytest.param("ByDepth", cooldown(0), id="steps without cooldowns"),
        pytest.param("ByDepth", cooldown(300), id="the cooldown of policies that name none"),
        pytest.param("ByDepth", alarms(evaluation_periods=3, datapoints_to_alarm=3), id="slower alarms"),
        pytest.param("ByDepth", alarms(comparison="GreaterThanThreshold"), id="steps that exclude the threshold"),
        pytest.param("ByBacklog", tracking(high_periods=1), id="an AlarmHigh of one minute"),
        pytest.param("ByBacklog", tracking(low_periods=10), id="an AlarmLow of ten minutes"),
        pytest.param("ByBacklog", tracking(target=20), id="another target"),
        pytest.param("ByLatency", planner(acceptable_latency=900), id="another latency"),
        pytest.param("ByLatency", planner(concurrency=2), id="another concurrency"),
        pytest.param("ByLatency", cooldown(900), id="plans that wait for one another"),
        pytest.param(
            "ByLatencyInMath", alarms(evaluation_periods=3, datapoints_to_alarm=3), id="math of three minutes"
        ),
    ],
)
def test_a_wrong_prediction_is_told_from_a_right_one(
    worker: str,
    wrong: Callable[[ScaledService], ScaledService],
    seen: Mapping[str, Counts],
    workspace: Workspace,
) -> None:
    predicted = predict(wrong(read_service(workspace.assembly, name=worker)))
    assert disagreements(predicted, seen[worker])


@pytest.mark.parametrize(
    ("worker", "wrong"),
    [
        pytest.param("ByBacklog", replace(LOCAL, queue_lag=60), id="queue metrics a minute late"),
        pytest.param("ByBacklog", replace(LOCAL, tracking_scale_in="gradual"), id="gradual scale-in"),
        pytest.param("ByLatency", replace(LOCAL, launch_median=240), id="tasks that start slowly"),
    ],
)
def test_a_wrong_assumption_is_told_from_a_right_one(
    worker: str, wrong: Assumptions, seen: Mapping[str, Counts], workspace: Workspace
) -> None:
    predicted = predict(read_service(workspace.assembly, name=worker), assumptions=wrong)
    assert disagreements(predicted, seen[worker])


def predict(service: ScaledService, *, engine: Engine = "fluid", assumptions: Assumptions = LOCAL) -> Counts:
    """The simulator's desired tasks at the end of each minute."""
    if service.planner is not None:
        # Tasks run here as soon as they are desired, and the planner counts those that the same minute's alarms add.
        # The simulator's planner counts them a minute later: so let it count a gap from the desired tasks instead.
        service = planner(starting_point="desired")(service)
    arrivals = np.zeros(60 * len(LOAD), dtype=np.int64)
    arrivals[::60] = LOAD
    load = Load(name="known", arrivals=arrivals, work_seconds=WORK_SECONDS)
    return simulate(service, load, slo=300, engine=engine, assumptions=assumptions).minutes.desired


def disagreements(predicted: Counts, seen: Counts) -> list[int]:
    """The minutes at which one of the two counts is more than one task off what the other is within a minute of it."""
    assert len(predicted) == len(seen)
    return [
        minute
        for minute in range(len(seen))
        if not (_near(predicted, minute, seen[minute]) and _near(seen, minute, predicted[minute]))
    ]


def _near(counts: Counts, minute: int, count: int) -> bool:
    return any(abs(count - other) <= 1 for other in counts[max(minute - 1, 0) : minute + 2])

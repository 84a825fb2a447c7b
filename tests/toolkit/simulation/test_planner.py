"""Policies that follow the planner: with a planner of the tests, whose code lies in an asset of the assembly."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from fargate_workers_planner import arithmetic
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.control.planner import WorkerPlanner, find_code
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import PlannerUse
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.simulate import simulate
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.toolkit.simulation.templates import Definition, alarm, resource, step, template

PLANNER = dedent('''
    """A planner that wants one task for each message a second, and one for each hundred that wait."""

    from collections.abc import Sequence
    from dataclasses import dataclass
    from math import ceil

    HISTORY = 10

    @dataclass(frozen=True, kw_only=True)
    class Policy:
        max_tasks: int

    @dataclass(frozen=True, kw_only=True)
    class Observation:
        visible: float
        desired: int
        arrivals: Sequence[float]
        work: Sequence[tuple[float, float] | None]

    @dataclass(frozen=True, kw_only=True)
    class Plan:
        desired_tasks: int
        gap_out: float
        gap_in: float
        backlog_seconds: float

    def plan(policy, observation):
        rates = [sent / 60 for sent in observation.arrivals] or [0]
        wanted, most = (
            min(policy.max_tasks, ceil(rate + observation.visible / 100) + 1) for rate in (rates[-1], max(rates))
        )
        measured = [work for work in observation.work if work]
        return Plan(
            desired_tasks=wanted,
            gap_out=wanted - observation.desired,
            gap_in=most - observation.desired,
            backlog_seconds=observation.visible * (measured[-1][0] / measured[-1][1] if measured else 1),
        )
''')

LADDER = [1, 2, 5, 10, 20]


def ladder(sign: int) -> list[Definition]:
    """Steps of one, two, five ... tasks, whichever the gap has reached."""
    ends = [*LADDER[1:], None]
    steps: list[Definition] = []
    for change, end in zip(LADDER, ends, strict=True):
        near, far = ("Lower", "Upper") if sign > 0 else ("Upper", "Lower")
        interval: Definition = {f"MetricInterval{near}Bound": sign * (change - 1), "ScalingAdjustment": sign * change}
        if end is not None:
            interval[f"MetricInterval{far}Bound"] = sign * (end - 1)
        steps.append(interval)
    return steps


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    gap = {
        "Namespace": "FargateWorkers/Scaling",
        "Statistic": "Maximum",
        "Period": 60,
        "TreatMissingData": "notBreaching",
    }
    metadata = {"fargate-workers": {"planner": {"worker": "Orders", "policy": {"max_tasks": 20}}}}
    container = {"Environment": [{"Name": "URL", "Value": {"Ref": "Queue"}}]}
    definition = template(
        Task=resource("AWS::ECS::TaskDefinition", Cpu=256, Memory=512, ContainerDefinitions=[container]),
        Out={**step(0, StepAdjustments=ladder(1), Cooldown=0), "Metadata": metadata},
        In={**step(0, StepAdjustments=ladder(-1), Cooldown=60), "Metadata": metadata},
        Deep=alarm("Out", **gap, MetricName="CapacityGap", Threshold=1),
        Shallow=alarm(
            "In", **gap, MetricName="CapacityGapIn", Threshold=-1, ComparisonOperator="LessThanOrEqualToThreshold"
        ),
        Planner={**resource("AWS::Lambda::Function"), "Metadata": {"aws:asset:path": "../asset.abc"}},
    )
    stack = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "Orders.template.json", "stackName": "Orders"},
    }
    (tmp_path / "Orders.template.json").write_text(json.dumps(definition))
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"Orders": stack}}))
    code = tmp_path / "asset.abc" / "fargate_workers_planner"
    code.mkdir(parents=True)
    (code / "arithmetic.py").write_text(PLANNER)
    return tmp_path


@pytest.mark.parametrize("package", ["fargate_workers_planner", "scaling_planner"])
def test_the_code_of_the_function_that_would_be_deployed_is_found(assembly: Path, package: str) -> None:
    """By the package's name of now, and by that of assemblies of before."""
    asset = assembly / "asset.abc"
    (asset / "fargate_workers_planner").rename(asset / package)

    use = read_service(assembly).planner

    assert use is not None
    assert use.code == asset / package / "arithmetic.py"


def test_without_an_asset_the_installed_planner_is_used() -> None:
    assert find_code(Path(), Assembly(stacks=())) == Path(arithmetic.__file__)


def test_policies_follow_what_the_planner_publishes(assembly: Path) -> None:
    result = simulate(read_service(assembly), built_in("heavy"), slo=300)
    # About 15 messages a second want one task more; while each is four times the work, all that may be.
    assert set(result.minutes.desired[60:480]) <= {16, 17, 18}
    assert (result.peak, result.seconds_at_maximum > 7200) == (20, True)
    assert result.residual == 0


def test_the_planner_sees_metrics_as_late_as_they_are(assembly: Path) -> None:
    use = read_service(assembly).planner
    assert use is not None
    planner = WorkerPlanner(use, assumptions=Assumptions(queue_lag=60, worker_lag=120))
    minutes = [
        planner.plan(Observation(visible=10, sent=sent, handled=handled, work_seconds=handled / 2), desired=0)
        for sent, handled in ((600, 0), (0, 4), (0, 0), (0, 0))
    ]
    assert [published["planned_tasks"] for published in minutes] == [2, 12, 2, 2]
    assert [published["capacity_gap_in"] for published in minutes] == [2, 12, 12, 12]
    assert [published["backlog_seconds"] for published in minutes] == [10, 10, 10, 5]


def test_a_policy_that_does_not_fit_the_code_gets_one_sentence(assembly: Path) -> None:
    use = read_service(assembly).planner
    assert use is not None
    wrong = PlannerUse(worker="Orders", policy={"most": 1}, code=use.code)
    with pytest.raises(SimulationError, match="The planner's policy of Orders does not fit its code"):
        WorkerPlanner(wrong, assumptions=Assumptions())


def test_a_planner_that_observes_more_than_is_known_gets_one_sentence(tmp_path: Path) -> None:
    code = tmp_path / "arithmetic.py"
    code.write_text(PLANNER.replace("    visible: float\n", "    visible: float\n    weather: str\n"))
    use = PlannerUse(worker="Orders", policy={"max_tasks": 3}, code=code)
    with pytest.raises(SimulationError, match="The planner observes weather, which the simulator does not know"):
        WorkerPlanner(use, assumptions=Assumptions())

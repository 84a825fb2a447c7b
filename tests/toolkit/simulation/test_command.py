"""`fargate-workers simulate`, as a team or its continuous integration calls it."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.simulation.assuming import CHANGEABLE, listed
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.simulate import simulate as run
from tests.toolkit.simulation.services import article
from tests.toolkit.simulation.templates import VISIBLE, Definition, alarm, resource, step, template, written

IN = step(-1, StepAdjustments=[{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}])
EMPTY = alarm("In", **VISIBLE, Threshold=0, ComparisonOperator="LessThanOrEqualToThreshold")


def scaled(tmp_path: Path, **changes: Definition) -> str:
    return str(written(tmp_path, template(In=IN, Empty=EMPTY, **changes)))


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments], env={"NO_COLOR": "1", "COLUMNS": "120"})


def load(tmp_path: Path, text: str) -> str:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    return str(path)


def wave(tmp_path: Path) -> str:
    """Ten minutes of 2 messages a second, ten of 20, twenty of 2."""
    return load(tmp_path, "0,1200\n600,12000\n1200,1200\n1800,1200\n")


def test_a_team_is_told_what_it_wants_to_know(tmp_path: Path) -> None:
    result = simulate(scaled(tmp_path), "--load", wave(tmp_path), "--slo", "900")
    assert result.exit_code == 0, result.output
    for told in ("Service under orders", "99 of 100", "Task-hours", "$", "Reversals", "dead-lettered", "mid-work"):
        assert told in result.stdout
    assert "tasks in" in result.stdout
    assert "by Out" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_program_is_told_the_same_as_json(tmp_path: Path) -> None:
    result = simulate(scaled(tmp_path), "--load", wave(tmp_path), "--slo", "900", "--max-miss", "0", "--json")
    told = json.loads(result.stdout)
    assert (told["service"], told["load"], told["sent"], told["slo"]) == ("Service", "orders", 15_600, 900)
    assert told["limits"] == [
        {"name": "lost", "most": 0, "kept": True},
        {"name": "missed_percent", "most": 0, "kept": True},
    ]
    assert len(told["minutes"]["desired"]) == 40


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_the_same_seed_prints_the_same(tmp_path: Path, engine: str) -> None:
    arguments = (
        scaled(tmp_path),
        "--load",
        wave(tmp_path),
        "--slo",
        "900",
        "--engine",
        engine,
        "--json",
        "--seed",
        "3",
    )
    assert simulate(*arguments).stdout == simulate(*arguments).stdout


def test_a_rate_and_the_work_of_a_message_make_a_load(tmp_path: Path) -> None:
    result = simulate(scaled(tmp_path), "--rate", "2", "--work-seconds", "1", "--slo", "900", "--json")
    told = json.loads(result.stdout)
    assert told["load"] == "2/s"
    assert told["p50"] > 0.6


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (("--max-miss", "0"), "The messages too old"),
        (("--max-cost", "0.01"), "above the limit of $0.01"),
    ],
)
def test_a_broken_limit_ends_with_1(tmp_path: Path, limit: tuple[str, str], sentence: str) -> None:
    # Three tasks at first, then one at most: too few for the wave.
    few = template(In=IN, Empty=EMPTY)
    few["Resources"]["Target"]["Properties"]["MaxCapacity"] = 2
    result = simulate(str(written(tmp_path, few)), "--load", wave(tmp_path), "--slo", "170", *limit)
    assert result.exit_code == 1, result.output
    assert sentence in result.stdout


def test_kept_limits_end_with_0(tmp_path: Path) -> None:
    limits = ("--max-miss", "0", "--max-cost", "5")
    result = simulate(scaled(tmp_path), "--load", wave(tmp_path), "--slo", "900", *limits)
    assert result.exit_code == 0
    assert result.stdout.count("✓ The ") == 2


def test_a_planner_s_latency_is_the_slo_unless_another_is_given(tmp_path: Path) -> None:
    gap = {"Namespace": "FargateWorkers/Scaling", "MetricName": "CapacityGap", "Statistic": "Maximum", "Period": 60}
    planned = template(Deep=alarm("Out", **gap, Threshold=1))
    policy = {"acceptable_latency": 240, "processing_time": 0.5, "max_tasks": 20}
    planned["Resources"]["Out"]["Metadata"] = {"fargate-workers": {"planner": {"worker": "Orders", "policy": policy}}}
    planned["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]["Environment"] = [
        {"Name": "QUEUE_URL", "Value": {"Ref": "Queue"}}
    ]
    path = str(written(tmp_path, planned))
    assert json.loads(simulate(path, "--load", wave(tmp_path), "--json").stdout)["slo"] == 240
    assert json.loads(simulate(path, "--load", wave(tmp_path), "--slo", "300", "--json").stdout)["slo"] == 300


def refused(*arguments: str) -> str:
    result = simulate(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no messages"),
        ("0,0\n60,0\n", "has no messages"),
        ("5\n4\n", "line 2: earlier than the line before; sort the file"),
        ("0,3\n60,-1\n", "line 2: -1 messages; a count is 0 or more"),
    ],
)
def test_a_load_that_is_none_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refused(scaled(tmp_path), "--load", load(tmp_path, text), "--slo", "300")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--slo", "300", "--load", "busy"), "no built-in load busy; choose one of burst, diurnal"),
        (("--slo", "300", "--load", "absent.csv"), "absent.csv cannot be read as a CSV file"),
        (("--slo", "300", "--load", "burst", "--rate", "3"), "either --load or --rate, not both"),
        (("--slo", "300", "--rate", "-1"), "A rate of -1 messages a second is no load"),
        (("--slo", "300", "--rate", "inf"), "A rate of inf messages a second is no load; make it at most 1,000,000"),
        (("--slo", "300", "--rate", "1e300"), "make it at most 1,000,000"),
        (("--slo", "300", "--rate", "1000", "--engine", "exact"), "are too many for it; use the fluid one, or a load"),
        (("--slo", "300", "--interval", "60"), "--interval goes with a CSV file of counts; leave it out"),
        (("--slo", "300", "--load", "drip", "--work-seconds", "3"), "built-in loads have their own work"),
        (("--slo", "300", "--rate", "3", "--work-seconds", "0"), "messages without work"),
        (("--slo", "300", "--rate", "3", "--work-seconds", "nan"), "cannot take nan s of work"),
        (("--rate", "3"), "promises no latency; say with --slo"),
        (("--slo", "0"), "An SLO of 0 s is no age"),
        (("--slo", "nan"), "An SLO of nan s is no age"),
        (("--slo", "0.5"), "cannot be met: the work of one message alone takes 0.5 s"),
        (("--slo", "300", "--service", "Other"), "has no scaled service Other; choose one with --service: Service"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(scaled(tmp_path), *arguments)


def test_a_template_without_a_scaled_service_gets_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, {"Resources": {"Queue": resource("AWS::SQS::Queue")}})
    assert "has no scaled ECS service" in refused(str(path), "--slo", "300")
    assert "neither a cloud assembly nor a template" in refused(str(tmp_path / "absent"), "--slo", "300")


def test_an_slo_below_the_reaction_time_is_refused_with_the_tasks_that_would_keep_it(tmp_path: Path) -> None:
    sentence = refused(scaled(tmp_path), "--load", wave(tmp_path), "--slo", "20")
    assert "below the reaction time of Service, 160 s until a new task works" in sentence
    assert "keep 10 tasks running instead of 1" in sentence


def test_the_tasks_that_would_keep_an_slo_do(tmp_path: Path) -> None:
    steady = ("--rate", "30", "--slo", "8", "--seed", "3")
    told = re.search(r"keep (\d+) tasks running", refused(scaled(tmp_path), *steady))
    assert told is not None
    tasks = int(told[1])
    for some, code in ((tasks, 0), (tasks - 1, 1)):
        fixed = template(In=IN, Empty=EMPTY)
        fixed["Resources"]["Target"]["Properties"].update(MinCapacity=some, MaxCapacity=some)
        path = str(written(tmp_path, fixed))
        assert simulate(path, *steady, "--max-miss", "0").exit_code == code


def test_an_slo_below_the_reaction_time_is_fine_when_the_least_tasks_keep_it(tmp_path: Path) -> None:
    wide = template(In=IN, Empty=EMPTY)
    wide["Resources"]["Target"]["Properties"]["MinCapacity"] = 14
    result = simulate(str(written(tmp_path, wide)), "--load", wave(tmp_path), "--slo", "20", "--max-miss", "0")
    assert result.exit_code == 0, result.output


def test_two_templates_are_told_side_by_side_with_the_difference(tmp_path: Path) -> None:
    first = scaled(tmp_path)
    second = tmp_path / "Faster.template.json"
    second.write_text(json.dumps(template(Out=step(8), In=IN, Empty=EMPTY)))
    arguments = (first, "--compare", str(second), "--load", wave(tmp_path), "--slo", "600")
    table = simulate(*arguments)
    assert table.exit_code == 0, table.output
    assert "Difference" in table.stdout
    told = json.loads(simulate(*arguments, "--json").stdout)
    assert told["difference"]["p99"] == pytest.approx(told["compared"]["p99"] - told["p99"], abs=0.002)
    assert told["difference"]["p99"] < 0


def test_a_second_template_that_is_none_gets_one_sentence(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    assert "neither a cloud assembly" in refused(scaled(tmp_path), "--compare", absent, "--slo", "300")


def test_another_policy_for_the_same_service_is_told_beside_the_template(tmp_path: Path) -> None:
    line = "Scaling.on_queue_depth({100: 20}, max_tasks=50)"
    shown = simulate(scaled(tmp_path), "--compare", line, "--load", wave(tmp_path), "--slo", "600", "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["difference"]["p99"] < 0


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Scaling.by_magic()", "no Scaling.by_magic"),
        ("Scaling.for_latency(acceptable_latency=Duration.seconds(20), min_tasks=0)", "raise min_tasks"),
    ],
)
def test_a_policy_that_cannot_be_had_gets_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    assert sentence in refused(scaled(tmp_path), "--compare", line, "--slo", "300")


def test_an_assumption_is_changed_by_name(tmp_path: Path) -> None:
    arguments = (scaled(tmp_path), "--load", wave(tmp_path), "--slo", "900", "--json", "--summary")
    usual, slow = (
        json.loads(simulate(*arguments, *more).stdout)
        for more in ((), ("--assume", "launch_median=600", "--assume", "starting_point=desired"))
    )
    assert slow["p99"] > usual["p99"] + 60


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("launch=3", "launch is no assumption; write name=value with one of queue_lag, launch_median, "),
        ("=3", "nothing is no assumption"),
        ("launch_median=soon", "launch_median is a number from 0 to 3600, such as launch_median=40."),
        ("failed_starts=2", "failed_starts is a number from 0 to 0.9, such as failed_starts=0."),
        ("queue_lag=nan", "queue_lag is a number from 0 to 3600"),
        ("starting_point", "starting_point is running or desired, such as starting_point=running."),
    ],
)
def test_an_assumption_that_is_none_gets_one_sentence(tmp_path: Path, given: str, sentence: str) -> None:
    result = simulate(scaled(tmp_path), "--slo", "900", "--assume", given)
    assert result.exit_code == 2
    assert f"--assume {given}: {sentence}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_assumptions_are_listed_with_their_defaults() -> None:
    for name in CHANGEABLE:
        default = getattr(Assumptions(), name)
        assert f"{name}={default if isinstance(default, str) else f'{default:g}'} (" in listed()
    assert "launch_median=40" in re.sub(r"[\s│]+", " ", simulate("--help").stdout)


def test_minutes_as_json_are_no_copy_of_them() -> None:
    """A year has half a million in each list."""
    result = run(article(), Load(name="some", arrivals=np.full(86_400, 1)), slo=300)
    minutes = result.as_json()["minutes"]
    assert {name: len(values) for name, values in minutes.items()} == dict.fromkeys(minutes, 1440)
    assert max(sys.getsizeof(values) for values in minutes.values()) < 1440
    assert json.loads("".join(json.JSONEncoder(indent=2).iterencode(minutes))) == {
        name: [round(value, 3) for value in getattr(result.minutes, name)] for name in minutes
    }

"""What the benchmark of scaling stands on."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.report import Check, Row
from benchmarks.scaling import __main__ as command
from benchmarks.scaling.bursty_loads import BURSTY, bursty
from benchmarks.scaling.ecs_scaling import seconds_to_trigger
from benchmarks.scaling.keda import Keda
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import ScaledService


def check(*values: float) -> Callable[[], Check]:
    return lambda: Check(measures="Numbers", rows=[Row(name=f"{value:g}", value=value, most=1) for value in values])


def run(monkeypatch: pytest.MonkeyPatch, checks: dict[str, Callable[[], Check]], *arguments: str) -> int:
    monkeypatch.setattr(command, "CHECKS", checks)
    monkeypatch.setattr("sys.argv", ["scaling", *arguments])
    return command.main()


def test_every_row_is_told_with_its_values_its_bound_and_whether_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, {"small": check(0, 1), "large": check(0, 2)}, "--json")
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows["large"] == {
        "measures": "Numbers",
        "values": {"0": 0, "2": 2},
        "bound": {"0": "<= 1", "2": "<= 1"},
        "kept": False,
        "beside": {},
    }
    assert (rows["small"]["kept"], code) == (True, 1)


def test_it_ends_with_0_when_every_row_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, {"small": check(0), "large": check(2)}, "small") == 0


def test_an_unknown_row_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, {"small": check(0)}, "large")
    assert "there is no row large; choose from small" in capsys.readouterr().err


def test_a_range_is_told_as_one() -> None:
    row = Row(name="seconds", value=5, least=4, most=6)
    assert (row.promise, row.kept) == ("4 to 6", True)


@pytest.mark.parametrize("name", BURSTY)
def test_a_bursty_load_is_the_same_for_a_seed_and_less_even_than_chance(name: str) -> None:
    load = bursty(name, seed=1)
    assert load.arrivals.tolist() == bursty(name, seed=1).arrivals.tolist()
    assert load.arrivals.tolist() != bursty(name, seed=2).arrivals.tolist()
    minutes = np.add.reduceat(load.arrivals, np.arange(0, load.seconds, 60))
    assert minutes.var() > 5 * minutes.mean()


def test_keda_grows_at_once_and_shrinks_to_the_most_of_five_minutes() -> None:
    keda = Keda(ScaledService(name="Orders", bounds=Bounds(1, 50), initial_tasks=1, steps={}), queue_length=10)
    waiting = (95, 5, 45, 0, 0, 0, 0, 0, 0, 4000)
    assert [keda.minute(Observation(visible=number)) for number in waiting] == [10, 10, 10, 10, 10, 5, 5, 1, 1, 40]


def test_the_later_a_metric_is_seen_the_later_is_the_scale_out() -> None:
    assert seconds_to_trigger(60, lag=120) - seconds_to_trigger(60, lag=60) == 60
    assert seconds_to_trigger(60, lag=60) == pytest.approx(3 * seconds_to_trigger(20, lag=20))

"""What a service has to do."""

from pathlib import Path

import numpy as np
import pytest

from fargate_workers_toolkit.simulation.builtin_loads import BUILT_IN, built_in, steady
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.load_files import load_from_csv


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_load_is_a_day_that_the_same_seed_repeats(name: str) -> None:
    load, again, other = built_in(name), built_in(name), built_in(name, seed=1)
    assert load.seconds == 86_400
    assert (load.arrivals == again.arrivals).all()
    assert (load.arrivals != other.arrivals).any()


def test_what_goes_wrong_goes_wrong_when_it_should() -> None:
    outage, poison, heavy = built_in("outage").outage, built_in("poison").poison, built_in("heavy").work_by_second
    assert outage is not None
    assert poison is not None
    assert np.flatnonzero(outage)[[0, -1]].tolist() == [36_000, 39_599]
    assert poison.sum() == 20_188
    assert (heavy[29_999], heavy[30_000], heavy[37_199], heavy[37_200]) == (0.5, 2.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("burst", 696_126),
        ("diurnal", 1_851_087),
        ("outage", 1_726_321),
        ("poison", 862_054),
        ("heavy", 1_294_592),
        ("drip", 293),
    ],
)
def test_a_seed_means_the_same_messages_for_ever(name: str, messages: int) -> None:
    assert built_in(name).arrivals.sum() == messages


def test_an_unknown_load_is_named_with_those_there_are() -> None:
    with pytest.raises(SimulationError, match="no built-in load busy; choose one of burst, diurnal, outage, poison"):
        built_in("busy")


def test_a_rate_is_a_load() -> None:
    assert steady(3, seconds=10_000).arrivals.mean() == pytest.approx(3, rel=0.05)
    with pytest.raises(SimulationError, match="A rate of -1 messages a second is no load"):
        steady(-1)


@pytest.mark.parametrize(
    "text",
    [
        "0.5\n0.7\n2\n",
        "sent\n100.5\n100.7\n102\n",
        "2026-01-01T00:00:00.5Z\n2026-01-01T00:00:00.7Z\n2026-01-01T00:00:02.4Z\n",
    ],
)
def test_timestamps_are_counted_by_the_second(tmp_path: Path, text: str) -> None:
    assert load_from_csv(csv(tmp_path, text)).arrivals.tolist() in ([2, 1], [2, 0, 1])


def test_counts_are_spread_over_their_interval(tmp_path: Path) -> None:
    load = load_from_csv(csv(tmp_path, "time,count\n0,6\n3,0\n6,4\n"))
    assert load.arrivals.tolist() == [2, 2, 2, 0, 0, 0, 1, 1, 2]
    assert load.name == "orders"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no messages"),
        ("sent\n", "has no messages"),
        ("0,0\n60,0\n", "has no messages"),
        ("5\n4\n", "line 2: earlier than the line before; sort the file"),
        ("0,3\n60,-1\n", "line 2: -1 messages; a count is 0 or more"),
        ("0,3\n60,many\n", "line 2: 'many' is not a whole number of messages"),
        ("1\nsoon\n", "line 2: neither seconds nor an ISO 8601 time"),
        ("1\ninf\n", "line 2: neither seconds nor an ISO 8601 time"),
        ("0\n1700000000\n", "more than a year; begin it later"),
        ("1,2,3\n", "must have one column"),
        ("1\n2,3\n", "must have one column"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SimulationError, match=sentence) as caught:
        load_from_csv(csv(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"nothing\.csv cannot be read as a CSV file"):
        load_from_csv(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"arrivals": np.array([], dtype=np.int64)}, "has no messages"),
        ({"arrivals": np.array([0, 0])}, "has no messages"),
        ({"arrivals": np.array([3, -1])}, "fewer than 0 messages"),
        ({"work_seconds": 0.0}, "messages without work"),
        ({"work_seconds": np.array([1.0])}, "arrays of different lengths"),
        ({"poison": np.array([0, -1])}, "fewer than 0 poison messages"),
    ],
)
def test_a_bad_load_gets_one_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SimulationError, match=f"The load x has .*{sentence}|The load x {sentence}"):
        Load(**{"name": "x", "arrivals": np.array([1, 2]), **changes})  # type: ignore[arg-type]

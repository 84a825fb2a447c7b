"""What a service has to do."""

from pathlib import Path

import numpy as np
import pytest

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in, steady
from fargate_workers_toolkit.simulation.loads.files import load_from_file
from fargate_workers_toolkit.simulation.loads.load import Load


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
    assert load_from_file(csv(tmp_path, text)).arrivals.tolist() in ([2, 1], [2, 0, 1])


def test_counts_are_spread_over_their_interval(tmp_path: Path) -> None:
    load = load_from_file(csv(tmp_path, "time,count\n0,6\n3,0\n6,4\n"))
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
        ("1\nsoon\n", "line 2: 'soon' is neither seconds nor an ISO 8601 time"),
        ("1\ninf\n", "line 2: 'inf' is neither seconds nor an ISO 8601 time"),
        ("0\n1700000000\n", "more than a year; begin it later"),
        ("1,2,3\n", r"has 3 columns without names; it needs one column \(moments\) or two"),
        ("when,how many\n1,2\n", "has 2 columns named when, how many; it needs"),
        ("time,moment\n1,2\n", "has 2 columns named time, moment; it needs"),
        ("1\n2,3\n", "line 2: its columns are 2 instead of 1"),
        ("time,count\n1,2\n3\n", "line 3: its columns are 1 instead of 2"),
        ("count\n5\n", "has only counts; say with --interval"),
        ("0;5\n60;7\n", "line 2: '60;7' is neither seconds"),
        ("0,5.5\n", "line 1: '5.5' is not a whole number"),
        ("0,1e30\n", "line 1: 1e[+]30 messages; no more than 1,000,000,000"),
        ("5\n6\n7\n", "one column of whole numbers without a name; are they moments, write time in a line above"),
        ("time,count\n0,3\n10800,5\n", "has counts that lie 10,800 s apart; say with --interval"),
        ("2026-10-25T02:59,3\n2026-10-25T03:00,3\n2026-10-25T02:00,5\n", "line 3: earlier .* write moments with"),
        ("0,\0\n", "line 1:"),
        ("1" * 5_000, "line 1: longer than any moment and count"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SimulationError, match=sentence) as caught:
        load_from_file(csv(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"time,count\r\n0,2\r\n2,4\r\n",
        b"\xef\xbb\xbftime,count\r\n0,2\r\n2,4\r\n\r\n  \r\n",
        b"0,2\n\n2,4.0\n , \n",
        b"messages, Time\n2,1970-01-01T00:00:00Z\n4,1970-01-01T01:00:02+01:00\n",
        b'"time","sent"\n"1970-01-01","2"\n"1970-01-01 00:00:02","4"\n',
        b"queue,timestamp,count\nx,1700000000,2\nx,1700000002,4\n",
    ],
)
def test_what_spreadsheets_and_exports_write_is_read_alike(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    assert load_from_file(path).arrivals.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("text", ["4\n0\n3\n", "count\n4\n0\n3\n", "queue,count\nx,4\nx,0\nx,3\n"])
def test_counts_without_moments_follow_each_other_at_an_interval(tmp_path: Path, text: str) -> None:
    assert load_from_file(csv(tmp_path, text), interval=2).arrivals.tolist() == [2, 2, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "interval", "sentence"),
    [
        ("4\n", 0, "An interval of 0 s"),
        ("4\n", float("nan"), "An interval of nan s"),
        ("4\n4\n4\n", 3e7, "spans more than a year"),
    ],
)
def test_an_interval_that_makes_no_sense_gets_one_sentence(
    tmp_path: Path, text: str, interval: float, sentence: str
) -> None:
    with pytest.raises(SimulationError, match=sentence):
        load_from_file(csv(tmp_path, text), interval=interval)


def test_counts_of_one_second_are_added_up(tmp_path: Path) -> None:
    assert load_from_file(csv(tmp_path, "0,1\n0,1\n0.5,2\n2,6\n")).arrivals.tolist() == [2, 2, 3, 3]


def test_text_that_is_not_utf_8_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("0,2\n", encoding="utf-16")
    with pytest.raises(SimulationError, match="is not text in UTF-8; save it as CSV in UTF-8"):
        load_from_file(path)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"nothing\.csv cannot be read as a CSV file"):
        load_from_file(tmp_path / "nothing.csv")


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


def by_minute(load: Load) -> list[int]:
    return np.add.reduceat(load.arrivals, np.arange(0, load.seconds, 60)).tolist()


@pytest.mark.parametrize(
    "lines",
    [
        # A minute without messages has no line.
        ["00:00,60", "00:01,6", "00:04,12"],
        # Nor need any two lines be neighbours.
        ["00:00,60", "00:02,6", "00:05,12"],
    ],
)
def test_a_count_covers_no_time_without_a_line(tmp_path: Path, lines: list[str]) -> None:
    load = load_from_file(csv(tmp_path, "time,count\n" + "".join(f"2026-11-20 {line}\n" for line in lines)))
    minutes = by_minute(load)
    assert [count for count in minutes if count] == [60, 6, 12]
    assert minutes[-1] == 12
    assert load.begin == 1_795_132_800


def test_six_silent_hours_stay_silent(tmp_path: Path) -> None:
    load = load_from_file(csv(tmp_path, "0,1500\n300,1500\n600,0\n22200,300\n22500,300\n"))
    assert load.arrivals[600:22_200].sum() == 0
    assert load.arrivals.sum() == 3600
    assert load.seconds == 22_800


def test_a_part_in_five_minutes_and_a_part_by_the_minute_are_both_spread_over_their_own(tmp_path: Path) -> None:
    """As CloudWatch keeps them: by the minute for two weeks, then in five minutes."""
    moments = [*range(0, 6000, 300), *range(6000, 7200, 60)]
    load = load_from_file(csv(tmp_path, "time,count\n" + "".join(f"{moment},300\n" for moment in moments)))
    assert by_minute(load)[:100] == [60] * 100
    assert by_minute(load)[100:] == [300] * 20


def test_polling_that_is_not_quite_regular_leaves_no_gaps(tmp_path: Path) -> None:
    moments = [0, 61, 119, 181, 240, 302]
    load = load_from_file(csv(tmp_path, "".join(f"{moment},600\n" for moment in moments)))
    assert load.arrivals[:302].min() > 0


@pytest.mark.parametrize("name", ["bin(1m)", "bin(60s)", "BIN( 1 min )"])
def test_the_length_of_a_bin_is_known_from_its_name(tmp_path: Path, name: str) -> None:
    text = f"{name},count(*)\n2026-11-20 00:00:00.000,600\n2026-11-20 03:00:00.000,600\n"
    minutes = by_minute(load_from_file(csv(tmp_path, text)))
    assert (minutes[0], minutes[180], sum(minutes)) == (600, 600, 1200)


def test_an_interval_says_what_counts_with_moments_cover(tmp_path: Path) -> None:
    load = load_from_file(csv(tmp_path, "time,count\n0,60\n10800,60\n"), interval=60)
    assert (by_minute(load)[0], load.seconds) == (60, 10_860)


RISING = '{"Timestamps": ["2026-11-20T01:01:00+01:00", "2026-11-20T00:00:00Z"], "Values": [6.0, 3.0]}'
DATAPOINTS = '[{"Timestamp": "2026-11-20T00:01:00Z", "Sum": 6.0}, {"Timestamp": "2026-11-20T00:00:00Z", "Sum": 3.0}]'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("console.csv", "Full label,x\nLabel,Orders sent\n2026/11/20 00:00:00,3\n2026/11/20 00:01:00,6\n"),
        ("console.csv", "Label,NumberOfMessagesSent\n2026/11/20 00:00:00,3.0\n2026/11/20 00:01:00,6\n"),
        ("data.json", f'{{"MetricDataResults": [{RISING}], "Messages": []}}'),
        ("statistics.json", f'{{"Label": "Orders", "Datapoints": {DATAPOINTS}}}'),
        ("milliseconds.csv", "timestamp,count\n1795132800000,3\n1795132860000,6\n"),
        ("insights.csv", "bin(1m),count(*)\n2026-11-20 00:01:00.000,6\n2026-11-20 00:00:00.000,3\n"),
    ],
)
def test_what_cloudwatch_exports_is_a_load(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    load = load_from_file(path)
    assert by_minute(load) == [3, 6]
    assert load.begin == 1_795_132_800


def test_a_minute_that_the_console_leaves_empty_has_no_messages(tmp_path: Path) -> None:
    text = "Label,Sent\n2026/11/20 00:00:00,3\n2026/11/20 00:01:00,\n2026/11/20 00:02:00,6\n"
    assert by_minute(load_from_file(csv(tmp_path, text))) == [3, 0, 6]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "is JSON of another kind than aws cloudwatch"),
        ('{"MetricDataResults": []}', "has 0 metrics; export NumberOfMessagesSent alone"),
        ('{"Datapoints": [{"Timestamp": "2026-11-20T00:00:00Z", "Average": 3}]}', "a datapoint without Sum"),
        ('{"Datapoints": [{"Timestamp": "soon", "Sum": 3}]}', "'soon' is neither seconds nor an ISO 8601 time"),
    ],
)
def test_json_that_is_no_metric_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "orders.json"
    path.write_text(text)
    with pytest.raises(SimulationError, match=sentence):
        load_from_file(path)

"""What is drawn: the numbers of the result, on round scales, with what happened in its order."""

from dataclasses import replace

import pytest

from fargate_workers_toolkit.reports.picture import Lane, Look, Picture, pictures, readable, time_ticks
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.simulation.track import Event
from tests.toolkit.simulation.services import fixed
from tests.toolkit.simulation.studies import study


def picture_of(drawn: Study) -> Picture:
    (picture,) = pictures([drawn])
    return picture


def lanes_of(*events: Event) -> dict[str, Lane]:
    drawn = study(fixed(40))
    picture = picture_of(replace(drawn, result=replace(drawn.result, events=events)))
    return {lane.name: lane for lane in picture.lanes}


def spans(lane: Lane) -> list[tuple[int, int, Look]]:
    return [(mark.begin, mark.end, mark.look) for mark in lane.marks]


def test_it_draws_the_results_own_minutes() -> None:
    drawn = study()
    minutes = drawn.result.minutes
    backlog, age, tasks = picture_of(drawn).panels
    assert [line.values for line in (*backlog.lines, *age.lines)] == [minutes.visible, minutes.oldest_age]
    assert {line.name: line.values for line in tasks.lines} == {
        "running": minutes.running,
        "desired": minutes.desired,
        "needed": drawn.needed_tasks(),
    }


def test_the_age_has_the_slo_as_its_level_and_room_above_it() -> None:
    _, age, _ = picture_of(study(fixed(40), slo=300)).panels
    assert (age.level, age.ceiling) == (300, 400)


def test_a_summary_tells_how_high_the_lines_rise() -> None:
    drawn = study()
    minutes = drawn.result.minutes
    late = sum(age > 60 for age in minutes.oldest_age)
    assert late
    backlog, age, tasks = picture_of(drawn).panels
    assert backlog.summary.startswith(f"At most {max(minutes.visible):,.0f} messages wait, at 00:")
    assert f"above the SLO of 60 s in {late} minutes" in age.summary
    assert tasks.summary == "At most 12 tasks desired, 12 running, 30.0 needed."


def test_two_pictures_have_the_same_scales() -> None:
    small, large = pictures([study(fixed(40), title="small"), study(title="large")])
    assert [panel.ceiling for panel in small.panels] == [panel.ceiling for panel in large.panels]
    assert (small.title, large.title) == ("small", "large")


def test_an_alarm_is_drawn_while_it_is_in_alarm_and_until_the_end_if_it_stays() -> None:
    lanes = lanes_of(
        Event(60, "alarm", "Deep", "OK"),
        Event(120, "alarm", "Deep", "ALARM"),
        Event(300, "alarm", "Deep", "OK"),
        Event(600, "alarm", "Deep", "ALARM"),
    )
    assert spans(lanes["Deep in ALARM"]) == [(120, 300, "alarm"), (600, 3600, "alarm")]
    assert lanes["Deep in ALARM"].label() == "Deep in ALARM, 2 times"


def test_steps_and_schedules_share_a_lane_and_say_what_they_did() -> None:
    lanes = lanes_of(
        Event(60, "scaled", "Out", "1 -> 3"),
        Event(120, "scaled", "In", "3 -> 2"),
        Event(180, "schedule", "Night", "0 to 4 tasks"),
    )
    (lane,) = lanes.values()
    assert spans(lane) == [(60, 60, "out"), (120, 120, "in"), (180, 180, "schedule")]
    assert [mark.note for mark in lane.marks] == ["Out: 1 → 3", "In: 3 → 2", "Night: 0 to 4 tasks"]


def test_every_reason_that_blocks_a_policy_has_a_lane() -> None:
    lanes = lanes_of(
        Event(60, "blocked", "Out", "maximum"),
        Event(120, "blocked", "In", "cooldown"),
        Event(180, "blocked", "Out", "maximum"),
    )
    assert {name: len(lane.marks) for name, lane in lanes.items()} == {
        "Out is at the most tasks allowed": 2,
        "In waits for a cooldown": 1,
    }


def test_alarms_that_read_the_same_keep_lanes_of_their_own() -> None:
    drawn = study(fixed(40))
    events = [Event(60, "alarm", f"Deep{digits}", "ALARM") for digits in ("89F1C11A", "B5E674D0")]
    picture = picture_of(replace(drawn, result=replace(drawn.result, events=events)))
    assert [lane.name for lane in picture.lanes] == ["Deep in ALARM", "Deep in ALARM"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("OrdersScaleOutD177635A waits", "OrdersScaleOut waits"),
        ("ORDERS89F1C11A", "ORDERS89F1C11A"),
        ("a\x00b\x1b[0m", "a b [0m"),
    ],
)
def test_names_are_told_without_the_digits_that_the_cdk_adds(text: str, told: str) -> None:
    assert readable(text) == told


@pytest.mark.parametrize(
    ("hours", "names"),
    [
        (0.5, ["00:00", "00:10", "00:20", "00:30"]),
        (24, ["00:00", "06:00", "12:00", "18:00", "24:00"]),
        (36, ["day 1", "12:00", "day 2", "12:00"]),
        (24 * 7, ["day 1", "day 3", "day 5", "day 7"]),
    ],
)
def test_the_time_axis_has_few_and_round_ticks(hours: float, names: list[str]) -> None:
    assert [name for _, name in time_ticks(round(3600 * hours))] == names


def test_a_load_of_ten_years_has_ticks_too() -> None:
    assert 2 <= len(time_ticks(3650 * 86_400)) <= 11

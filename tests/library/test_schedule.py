"""How often a schedule fires."""

from datetime import timedelta

import pytest

from fargate_workers.tasks.schedule import NotWorkedOutError, gaps

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "shortest", "longest"),
    [
        ("rate(5 minutes)", timedelta(minutes=5), timedelta(minutes=5)),
        ("rate(1 hour)", HOUR, HOUR),
        ("rate(2 days)", 2 * DAY, 2 * DAY),
        ("cron(0 * * * ? *)", HOUR, HOUR),
        ("cron(0/15 * * * ? *)", HOUR / 4, HOUR / 4),
        ("cron(0 6 * * ? *)", DAY, DAY),
        ("cron(0 6 ? * MON-FRI *)", DAY, 3 * DAY),
        ("cron(0 6 ? * 2,4 *)", 2 * DAY, 5 * DAY),
        ("cron(0,10 9 * * ? *)", timedelta(minutes=10), DAY - timedelta(minutes=10)),
        ("cron(0 8-17/3 * * ? *)", 3 * HOUR, 15 * HOUR),
        ("cron(0 0 1 * ? *)", 28 * DAY, 31 * DAY),
        ("cron(0 0 1 JAN ? *)", 365 * DAY, 366 * DAY),
        ("cron(0 0 29 2 ? *)", 1461 * DAY, 1461 * DAY),
    ],
)
def test_the_gaps_between_runs_are_worked_out(expression: str, shortest: timedelta, longest: timedelta) -> None:
    assert gaps(expression) == (shortest, longest)


@pytest.mark.parametrize(
    "expression", ["cron(0 6 L * ? *)", "cron(0 6 ? * 6#3 *)", "cron(0 6 3W * ? *)", "cron(0 6 * * ? 2027)"]
)
def test_what_is_not_worked_out_must_be_said(expression: str) -> None:
    with pytest.raises(NotWorkedOutError, match=r"more than we work out; say expected_every\."):
        gaps(expression)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("every hour", "is neither rate"),
        ("cron(0 6 * * *)", "is neither rate"),
        ("at(2027-01-01T00:00:00)", "is neither rate"),
        ("rate(0 minutes)", "has no period"),
        ("cron(60 6 * * ? *)", "has an invalid field; expected minute hour day month weekday year"),
        ("cron(0 6 ? * SON *)", "has an invalid field; expected minute hour day month weekday year"),
        ("cron(0 6 ? * FRI-MON *)", "has an invalid field; expected minute hour day month weekday year"),
        ("cron(0/0 6 * * ? *)", "has an invalid field; expected minute hour day month weekday year"),
        ("cron(0 6 31 2 ? *)", "never fires, or almost never; check the day fields"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_in_one_sentence(expression: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        gaps(expression)

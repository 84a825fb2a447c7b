"""Windows in which alarms notify nobody, and the mute rules of CloudWatch that they become."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers.alarms.runbook_texts import TEXTS
from fargate_workers.cloudformation import check_time_zone, stack_of
from fargate_workers.durations import in_seconds
from fargate_workers.errors import ConfigurationError

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MuteTargets.html
MOST_ALARMS = 100
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Schedule.html
_MINUTE, _LONGEST = 60, 15 * 86_400
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: The fields of a cron expression: what each is, its least and largest number, and its names.
_FIELDS: Sequence[tuple[str, int, int, Sequence[str]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 1, 0, _DAYS),  # no number: cron's 1 is a Monday, and that of other schedules of AWS a Sunday
)


@dataclass(frozen=True, kw_only=True)
class MuteWindow:
    """A time in which alarms notify nobody, once or again and again. They are raised all the same, and seen.

        night = MuteWindow(name="NightlyLoadTest", cron="0 2 * * *", duration=Duration.hours(1))
        Alerts(self, "QuietAtNight", mute=[night])

    Three kinds of alarms are never muted: those that scale a service, which CloudWatch would keep from scaling; those
    that roll deployments back; and those for which silence is trouble. A window for all leaves them out, and one that
    names such an alarm is refused.

    Args:
        name: Its name, in PascalCase: part of the construct ids of its rules.
        duration: How long it lasts, a minute to 15 days, in whole minutes.
        cron: When it begins, again and again: minute, hour, day of the month, month and day of the week, such as
            "0 2 * * SUN". Defaults to none.
        at: When it begins, once: "2026-12-23T00:00". Defaults to none; one of both is given.
        timezone: The IANA time zone of either. Defaults to "UTC".
        why: Why, for those who ask. Defaults to nothing.
        alarms: The ids of the alarms, such as "OldestMessageTooOld". Defaults to all that may be muted.
        excluding: The ids of alarms that go on to notify. Defaults to none.

    Raises:
        ConfigurationError: CloudWatch would refuse it, or it names no alarm that there is.
    """

    name: str
    duration: Duration
    cron: str | None = None
    at: str | None = None
    timezone: str = "UTC"
    why: str = ""
    alarms: Sequence[str] = ()
    excluding: Sequence[str] = ()

    def __post_init__(self) -> None:
        for mistake in (self._mistake_in_name(), self._mistake_in_time(), self._mistake_in_alarms()):
            if mistake is not None:
                raise ConfigurationError(f"The mute window {self.name!r} {mistake}")
        check_time_zone(f"The mute window {self.name!r}", self.timezone)

    @property
    def schedule(self) -> Mapping[str, str]:
        """When it begins and how long it lasts, as CloudWatch writes it."""
        return {
            "expression": f"at({self.at})" if self.cron is None else f"cron({self.cron})",
            "duration": f"PT{in_seconds(self.duration, 0) // _MINUTE}M",
            "timezone": self.timezone,
        }

    def mutes(self, definition: AlarmDefinition, *, subject: str) -> bool:
        """Whether it mutes an alarm.

        Args:
            definition: The alarm's definition.
            subject: Whose alarm it is.

        Raises:
            ConfigurationError: It names the alarm, which may not be muted.
        """
        if definition.id in self.excluding or (self.alarms and definition.id not in self.alarms):
            return False
        if definition.never_muted is not None and self.alarms:
            raise ConfigurationError(
                f"The mute window {self.name!r} names {definition.id}, and that of {subject} is never muted, because "
                f"{definition.never_muted}; leave it out of the window."
            )
        return definition.never_muted is None

    def _mistake_in_name(self) -> str | None:
        if not re.fullmatch(r"([A-Z][a-z0-9]*)+", self.name):
            return "has no name in PascalCase; use one such as 'NightlyLoadTest'."
        return None

    def _mistake_in_time(self) -> str | None:
        if (self.cron is None) == (self.at is None):
            return "begins by cron= or by at=; give one of them."
        seconds = in_seconds(self.duration, 0)
        if seconds % _MINUTE or not _MINUTE <= seconds <= _LONGEST:
            return f"lasts {seconds} s; CloudWatch takes whole minutes, from one to those of 15 days."
        return _mistake_in_moment(self.at) if self.cron is None else _mistake_in_cron(self.cron)

    def _mistake_in_alarms(self) -> str | None:
        if self.alarms and self.excluding:
            return "has alarms= and excluding=; give one of them."
        for alarm in (*self.alarms, *self.excluding):
            if alarm not in TEXTS:
                near = get_close_matches(alarm, TEXTS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "use the name of a page in docs/runbooks."
                return f"names the alarm {alarm!r}, which there is none of; {hint}"
        return None


class MuteRules:
    """The mute rules of some alerts, in the stacks of the alarms: a stack's alarms are named in that stack alone.

    Args:
        id: The id of the alerts.
        windows: The windows.
    """

    def __init__(self, id: str, windows: Sequence[MuteWindow]) -> None:
        self._id = id
        self._windows = windows
        self._muted: dict[tuple[Stack, str], list[tuple[cloudwatch.CfnAlarmMuteRule, list[str]]]] = {}

    def cover(self, alarm: cloudwatch.CfnAlarm, definition: AlarmDefinition, *, subject: str) -> None:
        """Mute one more alarm in the windows that are meant for it.

        Args:
            alarm: The alarm.
            definition: Its definition.
            subject: Whose alarm it is.

        Raises:
            ConfigurationError: A window names it, and it may not be muted.
        """
        for window in self._windows:
            if window.mutes(definition, subject=subject):
                self._add(window, stack_of(alarm), alarm.ref)

    def _add(self, window: MuteWindow, stack: Stack, name: str) -> None:
        rules = self._muted.setdefault((stack, window.name), [])
        if not rules or len(rules[-1][1]) == MOST_ALARMS:
            rules.append((_rule(stack, f"{self._id}Mute{window.name}", window, number=len(rules) + 1), []))
        rule, names = rules[-1]
        names.append(name)
        rule.mute_targets = {"alarmNames": names}  # pyright: ignore[reportAttributeAccessIssue]  JavaScript's spelling


def _rule(stack: Stack, name: str, window: MuteWindow, *, number: int) -> cloudwatch.CfnAlarmMuteRule:
    if number > 1:
        name += str(number)
    if stack.node.try_find_child(name) is not None:  # of other alerts of the same id
        name += str(len(stack.node.children))
    return cloudwatch.CfnAlarmMuteRule(
        stack,
        name,
        description=" ".join(filter(None, (window.why, "Scaling, roll-backs and watches for silence are not muted."))),
        rule={"schedule": window.schedule},  # pyright: ignore[reportArgumentType]  JavaScript's spelling
    )


def _mistake_in_moment(at: str | None) -> str | None:
    try:
        moment = datetime.strptime(at or "", "%Y-%m-%dT%H:%M")  # noqa: DTZ007  its zone is the window's
    except ValueError:
        return f"begins at {at!r}, which is no moment; write it like '2026-12-23T00:00'."
    return None if f"{moment:%Y-%m-%dT%H:%M}" == at else f"begins at {at!r}; write it like '2026-12-23T00:00'."


def _mistake_in_cron(cron: str) -> str | None:
    """CloudWatch takes five fields, with `*`, `-` and `,`: no `?`, no `/`, no year."""
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        return f"begins by {cron!r}, which has {len(parts)} fields; write five, such as '0 2 * * SUN'."
    for part, (what, least, most, names) in zip(parts, _FIELDS, strict=True):
        if not all(_taken(span, least, most, names) for span in part.split(",")):
            spans = [(least, most)] if least <= most else []
            allowed = [f"{first} to {last}" for first, last in [*spans, *([(names[0], names[-1])] if names else [])]]
            return f"begins by {cron!r}, whose {what} is {part!r}; use {' or '.join(allowed)}, with *, - and commas."
    return None


def _taken(span: str, least: int, most: int, names: Sequence[str]) -> bool:
    return span == "*" or all(
        value in names or (value.isdecimal() and least <= int(value) <= most) for value in span.split("-", 1)
    )

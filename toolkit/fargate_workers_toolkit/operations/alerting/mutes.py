"""Mutes for a while: alarms go on, and notify nobody."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.alerting.choosing import Alarm
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import Worker

_ALARMS_IN_A_RULE = 100
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Schedule.html
_LEAST, _MOST = 60.0, 15 * 86_400.0
#: The name of what is muted, in a rule's name, which has 255 characters at most.
_ALL, _LONGEST_NAME = "all", 128
_NUMBERED = re.compile(r"(?P<name>.+)-\d{8}T\d{4,6}-\d+")


@dataclass(frozen=True, kw_only=True)
class Mute:
    """A mute that was made.

    Args:
        rules: The names of its rules.
        alarms: The alarms that are muted.
        left_alone: The alarms that are not, and why.
        begin: When it begins, in seconds since 1970.
        end: When it ends.
    """

    rules: Sequence[str]
    alarms: Sequence[Alarm]
    left_alone: Sequence[Alarm]
    begin: float
    end: float


@dataclass(frozen=True, kw_only=True)
class MadeMute:
    """A rule of a mute that was made, and has not ended.

    Args:
        rule: The rule's name.
        name: The worker that is muted; `all` for all of them.
        alarms: The names of the alarms.
        by: Who made it. Empty: unknown.
        why: Why.
        end: When it ends by itself, in seconds since 1970. None: unknown.
    """

    rule: str
    name: str
    alarms: Sequence[str]
    by: str
    why: str
    end: float | None

    @property
    def is_of_all(self) -> bool:
        """Whether all workers were muted together."""
        return self.name == _ALL


@dataclass(frozen=True, kw_only=True)
class Mutes:
    """What mutes the alarms of workers.

    Args:
        made: The mutes that `mute` made for them.
        with_all: Whether it muted them together with all workers, besides.
        others: The names of those of their alarms that anything else mutes now.
    """

    made: Sequence[MadeMute]
    with_all: bool
    others: Set[str]


def mute(
    aws: Aws, alarms: Sequence[Alarm], *, name: str | None, by: str, why: str, lasting: float, clock: Clock
) -> Mute:
    """Mute alarms for a while. It ends by itself.

    A mute rule mutes every action of an alarm, those of Auto Scaling as well, so that alarms which do more than to
    notify are left alone.

    Args:
        aws: Their AWS.
        alarms: The alarms.
        name: The worker that is muted, for the names of the rules. None: all of them.
        by: Who mutes them.
        why: Why.
        lasting: For how many seconds, a minute to 15 days.
        clock: The time.

    Raises:
        OperationsError: Nothing can be muted, the time is too short or too long, or AWS refuses.
    """
    if not _LEAST <= lasting <= _MOST:
        raise OperationsError("A mute lasts a minute at least and 15 days at most.")
    chosen = [alarm for alarm in alarms if not alarm.left_alone]
    if not chosen:
        reasons = "; ".join(f"{alarm.role}: {alarm.left_alone}" for alarm in alarms)
        raise OperationsError(f"None of these alarms may be muted ({reasons or 'there are none'}).")
    # Rules begin with a full minute. A rule of the same name would take the place of the one before.
    now = clock.now()
    begin = math.ceil(now / 60) * 60
    minutes = math.ceil(lasting / 60)
    start = datetime.fromtimestamp(begin, UTC)
    rules: list[str] = []
    with answered(sign_in=aws.place.sign_in):
        for number, place in enumerate(range(0, len(chosen), _ALARMS_IN_A_RULE), start=1):
            made = f"{_label(name)}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{number}"
            rule = f"{_beginning(aws)}{made}"
            aws.client("cloudwatch").put_alarm_mute_rule(
                Name=rule,
                Description=f"{by}: {why}"[:1_024],
                Rule={
                    "Schedule": {
                        "Expression": f"at({start:%Y-%m-%dT%H:%M})",
                        "Duration": f"PT{minutes}M",
                        "Timezone": "UTC",
                    }
                },
                MuteTargets={"AlarmNames": [alarm.name for alarm in chosen[place : place + _ALARMS_IN_A_RULE]]},
                Tags=[{"Key": tags.ENVIRONMENT, "Value": aws.place.environment}],
                ExpireDate=start + timedelta(minutes=minutes),
            )
            rules.append(rule)
    return Mute(
        rules=rules,
        alarms=chosen,
        left_alone=[alarm for alarm in alarms if alarm.left_alone],
        begin=float(begin),
        end=float(begin + 60 * minutes),
    )


def find_mutes(aws: Aws, workers: Sequence[Worker], *, name: str | None) -> Mutes:
    """Find what mutes the alarms of workers.

    Args:
        aws: Their AWS.
        workers: The workers.
        name: The worker that was muted. None: each, and all of them.

    Raises:
        OperationsError: AWS refuses.
    """
    own = {alarm for worker in workers for alarm in worker.alarms.values()}
    made: list[MadeMute] = []
    others: set[str] = set()
    with_all = False
    for rule, described in _rules(aws, "ACTIVE", "SCHEDULED"):
        targets = own.intersection(_targets(described))
        if not targets:  # an environment's name may begin with that of another
            continue
        found = _made(aws, rule, described)
        if found is not None and (name is None or found.name == _label(name)):
            made.append(found)
            continue
        with_all = with_all or (found is not None and found.is_of_all)
        if described.get("Status") == "ACTIVE":
            others |= targets
    return Mutes(made=made, with_all=with_all, others=others)


def unmute(aws: Aws, mutes: Sequence[MadeMute]) -> None:
    """End mutes before their time.

    Args:
        aws: Their AWS.
        mutes: The mutes.

    Raises:
        OperationsError: AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        for each in mutes:
            aws.client("cloudwatch").delete_alarm_mute_rule(AlarmMuteRuleName=each.rule)


def muted_alarms(aws: Aws) -> set[str]:
    """The names of the alarms that are muted now.

    Args:
        aws: The environment's AWS.

    Raises:
        OperationsError: AWS refuses.
    """
    return {name for _, described in _rules(aws, "ACTIVE") for name in _targets(described)}


def _rules(aws: Aws, *statuses: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The names of mute rules, those of stacks included, and what CloudWatch has of each."""
    cloudwatch = aws.client("cloudwatch")
    with answered(sign_in=aws.place.sign_in):
        answer = cloudwatch.list_alarm_mute_rules(Statuses=statuses)
        while True:
            for summary in answer.get("AlarmMuteRuleSummaries", []):
                rule = summary["AlarmMuteRuleArn"].rpartition(":")[2]
                yield rule, cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=rule)
            if not answer.get("NextToken"):
                return
            answer = cloudwatch.list_alarm_mute_rules(Statuses=statuses, NextToken=answer["NextToken"])


def _targets(described: Mapping[str, Any]) -> Sequence[str]:
    return described.get("MuteTargets", {}).get("AlarmNames", [])


def _made(aws: Aws, rule: str, described: Mapping[str, Any]) -> MadeMute | None:
    """A rule as a mute that was made; None for one of a stack, or of somebody else."""
    named = _NUMBERED.fullmatch(rule.removeprefix(_beginning(aws)))
    if named is None or not rule.startswith(_beginning(aws)):
        return None
    by, _, why = described.get("Description", "").partition(": ")
    end = described.get("ExpireDate")
    return MadeMute(
        rule=rule,
        name=named["name"],
        alarms=_targets(described),
        by=by,
        why=why,
        end=None if end is None else end.timestamp(),
    )


def _beginning(aws: Aws) -> str:
    """How the names of rules begin; `OperatorAccess` takes no others."""
    return f"fargate-workers-{aws.place.environment}-"


def _label(name: str | None) -> str:
    return _ALL if name is None else name[:_LONGEST_NAME]

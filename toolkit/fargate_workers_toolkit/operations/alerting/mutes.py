"""Mutes for a while: alarms go on, and notify nobody."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.alerting.choosing import Alarm
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws

_ALARMS_IN_A_RULE = 100
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Schedule.html
_LEAST, _MOST = 60.0, 15 * 86_400.0


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


def mute(aws: Aws, alarms: Sequence[Alarm], *, name: str, by: str, why: str, lasting: float, clock: Clock) -> Mute:
    """Mute alarms for a while. It ends by itself.

    A mute rule mutes every action of an alarm, those of Auto Scaling as well, so that alarms which do more than to
    notify are left alone.

    Args:
        aws: Their AWS.
        alarms: The alarms.
        name: What is muted, for the names of the rules.
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
    # Rules begin with a full minute.
    begin = math.ceil(clock.now() / 60) * 60
    minutes = math.ceil(lasting / 60)
    start = datetime.fromtimestamp(begin, UTC)
    rules: list[str] = []
    with answered(sign_in=aws.place.sign_in):
        for number, place in enumerate(range(0, len(chosen), _ALARMS_IN_A_RULE), start=1):
            rule = f"fargate-workers-{aws.place.environment}-{name}-{start:%Y%m%dT%H%M}-{number}"
            aws.client("cloudwatch").put_alarm_mute_rule(
                Name=rule[:255],
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
            rules.append(rule[:255])
    return Mute(
        rules=rules,
        alarms=chosen,
        left_alone=[alarm for alarm in alarms if alarm.left_alone],
        begin=float(begin),
        end=float(begin + 60 * minutes),
    )


def muted_alarms(aws: Aws) -> set[str]:
    """The names of the alarms that are muted now.

    Args:
        aws: The environment's AWS.

    Raises:
        OperationsError: AWS refuses.
    """
    cloudwatch = aws.client("cloudwatch")
    names: set[str] = set()
    with answered(sign_in=aws.place.sign_in):
        answer = cloudwatch.list_alarm_mute_rules(Statuses=["ACTIVE"])
        while True:
            for summary in answer.get("AlarmMuteRuleSummaries", []):
                rule = summary["AlarmMuteRuleArn"].rpartition(":")[2]
                described = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=rule)
                names.update(described.get("MuteTargets", {}).get("AlarmNames", []))
            if not answer.get("NextToken"):
                return names
            answer = cloudwatch.list_alarm_mute_rules(Statuses=["ACTIVE"], NextToken=answer["NextToken"])

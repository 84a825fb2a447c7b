"""A test of the way from an alarm to a person: each alarm is raised and lowered, with a note that it is a test."""

from collections.abc import Callable, Sequence

from fargate_workers_toolkit.operations.alerting.choosing import Alarm
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.undisturbed import undisturbed

#: Seconds between the two states, and between two alarms: SetAlarmState is answered three times a second.
_PAUSE = 1.0


def try_alarms(
    aws: Aws,
    alarms: Sequence[Alarm],
    *,
    by: str,
    clock: Clock,
    report: Callable[[Alarm], None] = lambda _: None,
) -> list[Alarm]:
    """Raise and lower alarms, one after the other.

    An alarm that is raised already, or that does more than to notify, is left alone. CloudWatch sets the true state at
    its next evaluation, whatever happens here.

    Args:
        aws: Their AWS.
        alarms: The alarms.
        by: Who tries them.
        clock: The time.
        report: Receives each alarm that was tried. Defaults to nothing.

    Returns:
        The alarms that were tried.

    Raises:
        OperationsError: AWS refuses.
    """
    tried: list[Alarm] = []
    for alarm in alarms:
        if alarm.left_alone or alarm.state == "ALARM":
            continue
        with answered(sign_in=aws.place.sign_in), undisturbed():
            for state in ("ALARM", "OK"):
                aws.client("cloudwatch").set_alarm_state(
                    AlarmName=alarm.name,
                    StateValue=state,
                    StateReason=f"A test of the alerts by {by}: nothing is wrong, and nothing is to be done.",
                )
                clock.sleep(_PAUSE)
        tried.append(alarm)
        report(alarm)
    return tried

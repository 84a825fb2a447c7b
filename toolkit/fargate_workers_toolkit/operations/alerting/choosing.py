"""Which alarms an operator may touch: those that call a person, and act on nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import Worker

#: The role of the alarm that rolls deployments back.
_ROLLS_BACK = "HandlerFailing"
_ALARMS_IN_A_CALL = 100


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm of a worker.

    Args:
        role: The id of its definition.
        name: Its name.
        state: Its state, such as `OK`.
        topics: The topics that it notifies.
        left_alone: Why it is left alone. Empty: it is not.
    """

    role: str
    name: str
    state: str
    topics: Sequence[str]
    left_alone: str


def alarms_of(aws: Aws, workers: Sequence[Worker], *, roles: Sequence[str] = ()) -> list[Alarm]:
    """The alarms of workers.

    Args:
        aws: Their AWS.
        workers: The workers.
        roles: The ids of definitions. Defaults to all.

    Raises:
        OperationsError: No worker has an alarm of such a role, or AWS refuses.
    """
    wanted = {name: role for worker in workers for role, name in worker.alarms.items() if not roles or role in roles}
    known = sorted({role for worker in workers for role in worker.alarms})
    if unknown := sorted(set(roles) - set(known)):
        raise OperationsError(f"There is no alarm {unknown[0]} here; there are {', '.join(known)}.")
    found: list[Alarm] = []
    names = list(wanted)
    with answered(sign_in=aws.place.sign_in):
        for begin in range(0, len(names), _ALARMS_IN_A_CALL):
            answer = aws.client("cloudwatch").describe_alarms(
                AlarmNames=names[begin : begin + _ALARMS_IN_A_CALL], MaxRecords=_ALARMS_IN_A_CALL
            )
            found += [_alarm(wanted[each["AlarmName"]], each) for each in answer["MetricAlarms"]]
    return sorted(found, key=lambda alarm: (alarm.role, alarm.name))


def subscribers(aws: Aws, topics: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Who hears topics.

    Args:
        aws: Their AWS.
        topics: The ARNs of the topics.

    Returns:
        The protocol, the endpoint, and whether it is confirmed, of each subscription.

    Raises:
        OperationsError: AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        for topic in topics:
            pages = aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            for subscription in (each for page in pages for each in page["Subscriptions"]):
                confirmed = subscription["SubscriptionArn"] != "PendingConfirmation"
                yield subscription["Protocol"], subscription["Endpoint"], confirmed


def _alarm(role: str, described: Mapping[str, Any]) -> Alarm:
    actions: list[str] = [*described.get("AlarmActions", []), *described.get("OKActions", [])]
    others = [action for action in actions if ":sns:" not in action]
    return Alarm(
        role=role,
        name=described["AlarmName"],
        state=described.get("StateValue", ""),
        topics=sorted({action for action in actions if ":sns:" in action}),
        left_alone=_why_left_alone(role, described, acts=bool(others)),
    )


def _why_left_alone(role: str, described: Mapping[str, Any], *, acts: bool) -> str:
    if role == _ROLLS_BACK:
        return "it rolls deployments back"
    if described.get("TreatMissingData") == "breaching":
        return "it watches for silence"
    return "it does more than to notify" if acts else ""

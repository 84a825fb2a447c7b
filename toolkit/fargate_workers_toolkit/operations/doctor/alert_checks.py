"""Questions to the chain from an alarm to a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.operations.doctor.check import Check, Finding, Patient, trouble, well

_ALARMS_IN_A_CALL = 100


def alarms_of(patient: Patient) -> list[Mapping[str, Any]]:
    """The alarms of all workers.

    Args:
        patient: The environment.
    """
    names = [name for state in patient.states for name in state.worker.alarms.values()]
    cloudwatch = patient.aws.client("cloudwatch")
    found: list[Mapping[str, Any]] = []
    for begin in range(0, len(names), _ALARMS_IN_A_CALL):
        some = names[begin : begin + _ALARMS_IN_A_CALL]
        found += cloudwatch.describe_alarms(AlarmNames=some, MaxRecords=_ALARMS_IN_A_CALL)["MetricAlarms"]
    return found


def topics_of(patient: Patient) -> list[str]:
    """The topics that the alarms notify.

    Args:
        patient: The environment.
    """
    actions = {action for alarm in alarms_of(patient) for action in alarm.get("AlarmActions", [])}
    return sorted(action for action in actions if ":sns:" in action)


def _exist(patient: Patient) -> Sequence[Finding]:
    present = {alarm["AlarmName"] for alarm in alarms_of(patient)}
    findings: list[Finding] = []
    for state in patient.states:
        gone = sorted(name for name in state.worker.alarms.values() if name not in present)
        subject = state.worker.short_name
        if not state.worker.alarms:
            findings.append(trouble(subject, "It has no alarms.", f"npx cdk deploy '{patient.environment}/**'"))
        elif gone:
            todo = f"npx cdk deploy '{patient.environment}/**', after cdk drift"
            findings.append(trouble(subject, f"Alarms are gone: {', '.join(gone)}.", todo))
        else:
            findings.append(well(subject, f"{len(state.worker.alarms)} alarms."))
    return findings


def _notify(patient: Patient) -> Sequence[Finding]:
    silent = [alarm["AlarmName"] for alarm in alarms_of(patient) if not alarm.get("AlarmActions")]
    if silent:
        todo = "Give the cluster alerts=Alerts(...), and deploy."
        return [trouble("alarms", f"{len(silent)} alarms notify nobody: {', '.join(silent[:3])}.", todo)]
    return [well("alarms", "Every alarm notifies a topic.")]


def _switched_on(patient: Patient) -> Sequence[Finding]:
    off = [alarm["AlarmName"] for alarm in alarms_of(patient) if not alarm.get("ActionsEnabled", True)]
    if off:
        todo = f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(off)}"
        return [trouble("alarms", f"The actions of {len(off)} alarms are switched off.", todo)]
    return [well("alarms", "No alarm's actions are switched off.")]


def _have_data(patient: Patient) -> Sequence[Finding]:
    blind = [alarm for alarm in alarms_of(patient) if alarm.get("StateValue") == "INSUFFICIENT_DATA"]
    old = [alarm["AlarmName"] for alarm in blind if _for_long(alarm, patient.now)]
    if old:
        todo = f"aws cloudwatch describe-alarms --alarm-names {' '.join(old)}"
        return [trouble("alarms", f"{len(old)} alarms have had no data for an hour: {', '.join(old[:3])}.", todo)]
    return [well("alarms", "Every alarm has data, or is new.")]


def _for_long(alarm: Mapping[str, Any], now: float) -> bool:
    since = alarm.get("StateUpdatedTimestamp")
    return since is not None and now - since.timestamp() > 3_600


def _confirmed(patient: Patient) -> Sequence[Finding]:
    findings: list[Finding] = []
    for topic in topics_of(patient):
        subscriptions = list(_subscriptions(patient, topic))
        pending = [each["Endpoint"] for each in subscriptions if each["SubscriptionArn"] == "PendingConfirmation"]
        subject = topic.rpartition(":")[2]
        if pending:
            todo = "Follow the link in the mail of AWS Notifications; deploy again if it is older than two days."
            findings.append(trouble(subject, f"{', '.join(pending)} did not confirm.", todo))
        else:
            findings.append(well(subject, "Every subscription is confirmed."))
    return findings


def _heard(patient: Patient) -> Sequence[Finding]:
    findings: list[Finding] = []
    for topic in topics_of(patient):
        # The history queue is a subscription of the library's own, and no person.
        people = [
            each["Endpoint"]
            for each in _subscriptions(patient, topic)
            if each["Protocol"] != "sqs" and each["SubscriptionArn"] != "PendingConfirmation"
        ]
        subject = topic.rpartition(":")[2]
        if people or patient.aws.place.is_local:
            findings.append(well(subject, f"Heard by {', '.join(people) or 'nobody, as is right locally'}."))
        else:
            todo = "Give Alerts emails=[...] or subscriptions=[...], and deploy."
            findings.append(trouble(subject, "Nobody hears its alerts.", todo))
    return findings


def _subscriptions(patient: Patient, topic: str) -> Iterator[Mapping[str, str]]:
    pages = patient.aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    for page in pages:
        yield from page["Subscriptions"]


CHECKS = (
    Check(name="Every worker has its alarms", look=_exist),
    Check(name="Every alarm notifies a topic", look=_notify),
    Check(name="No alarm is switched off", look=_switched_on),
    Check(name="Every alarm has data", look=_have_data),
    Check(name="Subscriptions are confirmed", look=_confirmed),
    Check(name="Somebody hears the alerts", look=_heard),
)

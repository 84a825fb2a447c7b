"""Windows in which alarms notify nobody: what they cover, what they never cover, and what is refused."""

from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Template
from constructs import Construct

from fargate_workers import Alerts, ConfigurationError, MuteWindow, QueueWorker, WorkerCluster
from fargate_workers.alarms import AlarmDefinition, Metric, add_alarm
from fargate_workers.alarms.mutes import MOST_ALARMS

RULE = "AWS::CloudWatch::AlarmMuteRule"
HOUR = Duration.hours(1)
Resources = dict[str, dict[str, Any]]


def window(**changes: Any) -> MuteWindow:
    return MuteWindow(**({"name": "Nightly", "duration": HOUR, "cron": "0 2 * * *"} | changes))


def definition(id: str, **changes: Any) -> AlarmDefinition:
    metric = Metric(namespace="AWS/SQS", name="Depth", dimensions={"QueueName": "orders"})
    return AlarmDefinition(id=id, symptom="s.", meaning="m.", first_command="c", metrics={"m": metric}, **changes)


def resources(stack: Stack) -> Resources:
    return Template.from_stack(stack).to_json()["Resources"]


def rules(found: Resources) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in found.values() if resource["Type"] == RULE]


def muted(found: Resources) -> set[str]:
    return {name["Ref"] for rule in rules(found) for name in rule["MuteTargets"]["AlarmNames"]}


@pytest.fixture(scope="module")
def workers(context: dict[str, Any]) -> dict[str, Resources]:
    app = App(context=context)
    platform, shop = Stack(app, "Platform"), Stack(app, "Shop")
    quiet = [
        window(timezone="Europe/Berlin", why="A load test.", excluding=["DeadLetters"]),
        window(name="Holidays", cron=None, at="2026-12-24T00:00", duration=Duration.days(3), alarms=["AtMaxCapacity"]),
    ]
    alerts = Alerts(platform, "Alerts", mute=quiet)
    cluster = WorkerCluster(platform, "Cluster", network="nat", alerts=alerts)
    image = ecs.ContainerImage.from_registry("example.com/worker")
    for name in ("Orders", "Refunds"):
        QueueWorker(shop, name, cluster=cluster, image=image)
    return {stack.node.id: resources(stack) for stack in (platform, shop)}


def test_a_window_is_a_rule_in_each_stack_that_has_alarms(workers: dict[str, Resources]) -> None:
    night, holidays = rules(workers["Shop"])

    assert night["Rule"]["Schedule"] == {
        "Expression": "cron(0 2 * * *)",
        "Duration": "PT60M",
        "Timezone": "Europe/Berlin",
    }
    assert night["Description"] == "A load test. Scaling, roll-backs and watches for silence are not muted."
    assert holidays["Rule"]["Schedule"]["Expression"] == "at(2026-12-24T00:00)"
    assert holidays["Rule"]["Schedule"]["Duration"] == "PT4320M"
    assert [len(name["MuteTargets"]["AlarmNames"]) for name in rules(workers["Platform"])] == [1]  # UndeliveredEvents


def test_a_window_never_covers_what_scales_rolls_back_or_watches_for_silence(workers: dict[str, Resources]) -> None:
    alarms = {
        name: resource["Properties"]
        for name, resource in workers["Shop"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    covered = muted(workers["Shop"])
    scaling = {name for name, alarm in alarms.items() if "AlarmActions" in alarm and not _notifies(alarm)}
    silent = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"}
    rolling = {name for name in alarms if "HandlerFailing" in name}

    assert scaling
    assert silent
    assert rolling
    assert not covered & (scaling | silent | rolling)
    left = {name for name in set(alarms) - covered - scaling - silent - rolling if "AlarmActions" in alarms[name]}
    assert {name[: name.index("DeadLetters") + 11] for name in left} == {"OrdersDeadLetters", "RefundsDeadLetters"}


def _notifies(alarm: dict[str, Any]) -> bool:
    """The topic is another stack's; the policies of scaling are of the alarm's own."""
    return all("Fn::ImportValue" in action for action in alarm["AlarmActions"])


def test_a_window_for_some_alarms_covers_these_alone(workers: dict[str, Resources]) -> None:
    _, holidays = rules(workers["Shop"])

    names = [name["Ref"] for name in holidays["MuteTargets"]["AlarmNames"]]
    assert len(names) == 2
    assert all("AtMaxCapacity" in name for name in names)


def test_more_alarms_than_a_rule_takes_are_two_rules(context: dict[str, Any]) -> None:
    stack = Stack(App(context=context), "Shop")
    alerts = Alerts(stack, "Alerts", mute=[window()])
    for number in range(MOST_ALARMS):  # with that of the alerts, one too many
        add_alarm(Construct(stack, f"Worker{number}"), definition("Plain"), subject="Orders", alerts=alerts)

    assert [len(rule["MuteTargets"]["AlarmNames"]) for rule in rules(resources(stack))] == [MOST_ALARMS, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"missing_data": "breaching"}, "it watches for silence"), ({"rolls_back": True}, "it rolls deployments back")],
)
def test_a_window_that_names_what_is_never_muted_is_refused(
    context: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    stack = Stack(App(context=context), "Shop")
    alerts = Alerts(stack, "Alerts", mute=[window(alarms=["RunMissed"])])

    with pytest.raises(ConfigurationError, match=f"RunMissed, and that of Orders is never muted, because {reason};"):
        add_alarm(stack, definition("RunMissed", **changes), subject="Orders", alerts=alerts)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "nightly test"}, "has no name in PascalCase"),
        ({"at": "2026-12-24T00:00"}, "begins by cron= or by at=; give one of them"),
        ({"cron": None}, "begins by cron= or by at=; give one of them"),
        ({"cron": None, "at": "Christmas"}, "begins at 'Christmas', which is no moment"),
        ({"cron": "0 2 * *"}, "has 4 fields; write five, such as '0 2 \\* \\* SUN'"),
        ({"cron": "0 24 * * *"}, "whose hour is '24'; use 0 to 23, with"),
        ({"cron": "*/5 * * * *"}, "whose minute is '\\*/5'; use 0 to 59"),
        ({"cron": "0 2 * * 1"}, "whose day of the week is '1'; use SUN to SAT"),
        ({"cron": "0 2 * 13 *"}, "whose month is '13'; use 1 to 12 or JAN to DEC"),
        ({"cron": "0 2 *-5 * *"}, "whose day of the month is '\\*-5'"),
        ({"duration": Duration.seconds(90)}, "lasts 90 s; CloudWatch takes whole minutes"),
        ({"duration": Duration.days(16)}, "lasts 1382400 s"),
        ({"timezone": "Europe/Berlni"}, 'did you mean "Europe/Berlin"'),
        ({"alarms": ["DeadLetter"]}, "there is none of; did you mean 'DeadLetters'"),
        ({"alarms": ["DeadLetters"], "excluding": ["QueueStuck"]}, "has alarms= and excluding="),
    ],
)
def test_what_cloudwatch_would_refuse_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        window(**changes)

    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize("cron", ["0 2 * * *", "0,30 8-18 * JAN-MAR MON-FRI", "59 23 31 12 SAT,SUN"])
def test_what_cloudwatch_takes_is_taken(cron: str) -> None:
    assert window(cron=cron).schedule["expression"] == f"cron({cron})"


def test_two_windows_of_one_name_are_refused(context: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="two mute windows of one name"):
        Alerts(Stack(App(context=context), "Shop"), "Alerts", mute=[window(), window()])

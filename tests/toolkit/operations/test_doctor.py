"""The doctor: at least twenty questions, each trouble with what to type, and no refusal that ends the examination."""

import json

import pytest
from botocore.exceptions import ClientError
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations.doctor import CHECKS, alert_checks
from fargate_workers_toolkit.operations.places import Aws
from tests.toolkit.operations.world import World


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "TZ": "UTC"}).invoke(app, ["doctor", *arguments])


def findings(*arguments: str) -> dict[str, list[dict[str, str]]]:
    return {each["check"]: each["findings"] for each in json.loads(run("dev", "--json", *arguments).stdout)}


def test_there_are_twenty_checks_or_more() -> None:
    assert len(CHECKS) >= 20
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_every_trouble_has_something_to_type(world: World) -> None:
    world.queues("Orders").die(1)

    found = findings()

    assert len(found) == len(CHECKS)
    troubles = [each for answers in found.values() for each in answers if each["verdict"] == "trouble"]
    assert troubles
    assert all(each["todo"] for each in troubles)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("No dead letters wait", "1 dead letter waits."),
        ("The region is bootstrapped", "eu-west-1 is not bootstrapped."),
        ("No alarm is switched off", "The actions of 1 alarms are switched off."),
        ("Scaling acts", "Its scaling is suspended, and nobody paused it"),
        ("Logs are kept, and not without an end", "Its log is kept without an end."),
        ("Somebody hears the alerts", "Nobody hears its alerts."),
    ],
)
def test_troubles_are_found(world: World, check: str, text: str) -> None:
    world.queues("Orders").die(1)
    world.client("cloudwatch").disable_alarm_actions(AlarmNames=["dev-Orders-HandlerFailing"])
    world.client("sns").create_topic(Name="alerts")
    world.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/dev-cluster/Orders",
        ScalableDimension="ecs:service:DesiredCount",
        SuspendedState={"DynamicScalingOutSuspended": True},
    )

    assert any(text in each["text"] for each in findings()[check] if each["verdict"] == "trouble")


def test_a_subscription_that_nobody_confirmed_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pending = {"Endpoint": "on-call@example.com", "Protocol": "email", "SubscriptionArn": "PendingConfirmation"}
    monkeypatch.setattr(alert_checks, "_subscriptions", lambda *_: iter([pending]))

    found = findings()

    assert found["Subscriptions are confirmed"][0]["text"] == "on-call@example.com did not confirm."
    assert found["Somebody hears the alerts"][0]["text"] == "Nobody hears its alerts."


def test_a_refusal_is_the_answer_to_one_question_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Aws.client

    def refusing(self: Aws, service: str) -> object:
        if service == "ssm":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")
        return client(self, service)

    monkeypatch.setattr(Aws, "client", refusing)

    found = findings()

    assert found["The region is bootstrapped"][0]["verdict"] == "unknown"
    assert "may not call GetParameter" in found["The region is bootstrapped"][0]["text"]
    assert found["The credentials are the environment's"][0]["verdict"] == "well"


def test_what_is_well_is_shown_on_request(world: World) -> None:
    short, whole = run("dev"), run("dev", "--all")

    assert "No dead letters." not in short.stdout
    assert "No dead letters." in whole.stdout
    assert f"{len(CHECKS)} checks: " in short.stdout
    assert short.exit_code == 1


def test_a_trouble_names_its_check_and_a_command_that_can_be_copied(world: World) -> None:
    world.queues("Orders").die(1)

    shown = CliRunner(env={"COLUMNS": "40", "TZ": "UTC"}).invoke(app, ["doctor", "dev"]).stdout.splitlines()

    place = shown.index("✗ Orders: 1 dead letter waits.")
    assert shown[place + 1 : place + 3] == [
        "  check: No dead letters wait",
        "  → fargate-workers dead-letters list dev Orders",
    ]


def test_an_alarm_that_is_muted_is_no_trouble(world: World) -> None:
    cloudwatch = world.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="dev-Orders-HandlerFailing", StateValue="ALARM", StateReason="test")
    assert "Alarms are raised: HandlerFailing." in run("dev").stdout

    cloudwatch.disable_alarm_actions(AlarmNames=["dev-Orders-HandlerFailing"])

    assert "Alarms are raised" not in run("dev").stdout

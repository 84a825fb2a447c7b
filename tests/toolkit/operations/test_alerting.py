"""Alerts are tried and muted; alarms that do more than to notify, or that watch for silence, are left alone."""

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from click.testing import Result
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.operations.alerting import alarms_of, mute, try_alarms
from fargate_workers_toolkit.operations.places import Aws, find_place
from fargate_workers_toolkit.operations.workers import find_worker
from tests.toolkit.operations.letters import MovedClock
from tests.toolkit.operations.world import World


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "TZ": "UTC"}).invoke(app, list(arguments))


def history(world: World, name: str) -> list[str]:
    answer = world.client("cloudwatch").describe_alarms(AlarmNames=[name])
    return [alarm["StateReason"] for alarm in answer["MetricAlarms"]]


def state(world: World, name: str) -> str:
    return world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def test_each_alarm_is_raised_and_lowered_with_a_note(world: World) -> None:
    aws = Aws(find_place("dev", folder=world.folder))

    tried = try_alarms(aws, alarms_of(aws, [find_worker(aws, "Orders")]), by="ada", clock=MovedClock())

    assert [alarm.role for alarm in tried] == ["DeadLetters", "OldestMessageTooOld"]
    assert state(world, "dev-Orders-DeadLetters") == "OK"
    assert history(world, "dev-Orders-DeadLetters") == [
        "A test of the alerts by ada: nothing is wrong, and nothing is to be done."
    ]
    assert "test" not in str(history(world, "dev-Orders-HandlerFailing"))


def test_an_alarm_that_is_raised_is_not_lowered_by_a_test(world: World) -> None:
    world.client("cloudwatch").set_alarm_state(
        AlarmName="dev-Orders-DeadLetters", StateValue="ALARM", StateReason="a letter"
    )
    aws = Aws(find_place("dev", folder=world.folder))

    try_alarms(aws, alarms_of(aws, [find_worker(aws, "Orders")]), by="ada", clock=MovedClock())

    assert state(world, "dev-Orders-DeadLetters") == "ALARM"


@pytest.mark.usefixtures("nobody_waits")
def test_who_hears_the_alarms_is_listed(world: World) -> None:
    sns = world.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]

    nobody = run("alerts", "test", "dev", "Orders", "--alarm", "DeadLetters")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
    somebody = run("alerts", "test", "dev", "Orders", "--alarm", "DeadLetters")

    assert nobody.exit_code == 1
    assert "✗ Nobody hears these alarms." in nobody.stdout
    assert somebody.exit_code == 0, somebody.output
    assert "✓ on-call@example.com by email" in somebody.stdout


def test_a_canary_takes_the_way_of_every_alert_and_raises_none(world: World) -> None:
    sns, sqs = world.client("sns"), world.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    history = sqs.create_queue(QueueName="history")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:history")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
    before = history_of_states(world)

    ended = run("alerts", "test", "dev", "Orders", "--canary", "--json")

    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert list(told["sent"]) == [topic]
    assert told["heard_by"] == [{"protocol": "email", "endpoint": "on-call@example.com", "confirmed": True}]
    (received,) = sqs.receive_message(QueueUrl=history)["Messages"]
    alert = json.loads(received["Body"])
    assert alert["MessageId"] == told["sent"][topic]
    assert alert["Subject"] == "A test of the alerts of dev"
    assert alert["MessageAttributes"] == {"test": {"Type": "String", "Value": "true"}}
    assert history_of_states(world) == before


def history_of_states(world: World) -> list[tuple[str, str]]:
    alarms = world.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [(alarm["AlarmName"], alarm["StateValue"]) for alarm in alarms]


def test_production_is_asked_before_a_canary_is_sent(world: World) -> None:
    world.client("sns").create_topic(Name="alerts")

    ended = run("alerts", "test", "prod", "--canary")

    assert ended.exit_code == 2
    assert "prod: send a message through 1 topic, marked as a test." in ended.stderr


def test_an_alarm_for_which_silence_is_trouble_is_left_alone_whatever_its_name(world: World) -> None:
    world.client("cloudwatch").put_metric_alarm(
        AlarmName="dev-Orders-DeadLetters",
        Namespace="AWS/SQS",
        MetricName="x",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
    )

    ended = run("mute", "dev", "Orders", "--why", "x", "--for", "2h")

    assert "Not muted: DeadLetters, because it watches for silence." in ended.stdout


def test_a_mute_is_a_request_that_cloudwatch_takes_and_ends_by_itself(world: World) -> None:
    ended = run("mute", "dev", "Orders", "--why", "a load test", "--for", "2h")

    assert ended.exit_code == 0, ended.output
    assert "2 alarms muted from" in ended.stdout
    assert "Not muted: HandlerFailing, because it rolls deployments back." in ended.stdout
    (rule,) = world.mute_rules.rules.values()
    model = botocore.session.get_session().get_service_model("cloudwatch").operation_model("PutAlarmMuteRule")
    assert model.input_shape is not None
    validate_parameters(rule, model.input_shape)
    assert rule["Rule"]["Schedule"]["Duration"] == "PT120M"
    assert rule["Description"].endswith(": a load test")
    assert rule["MuteTargets"]["AlarmNames"] == ["dev-Orders-DeadLetters", "dev-Orders-OldestMessageTooOld"]


def test_status_shows_what_is_muted(world: World) -> None:
    world.client("cloudwatch").set_alarm_state(
        AlarmName="dev-Orders-DeadLetters", StateValue="ALARM", StateReason="a letter"
    )
    run("mute", "dev", "Orders", "--why", "known", "--for", "2h")

    (orders,) = json.loads(run("status", "dev", "Orders", "--json").stdout)
    alarms: list[dict[str, Any]] = orders["alarms"]

    assert [(alarm["role"], alarm["muted"]) for alarm in alarms] == [("DeadLetters", True)]
    assert orders["troubles"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--alarm", "HandlerFailing", "--for", "2h"], "None of these alarms may be muted (HandlerFailing: it rolls"),
        (
            ["--alarm", "Nothing", "--for", "2h"],
            "There is no alarm Nothing here; there are DeadLetters, HandlerFailing",
        ),
        (["--for", "30s"], "A mute lasts a minute at least and 15 days at most."),
    ],
)
def test_what_may_not_be_muted_is_one_sentence(world: World, arguments: list[str], sentence: str) -> None:
    ended = run("mute", "dev", "Orders", "--why", "x", *arguments)

    assert ended.exit_code == 2
    assert sentence in ended.stderr
    assert not world.mute_rules.rules


def test_an_alarm_that_scales_is_never_muted(world: World) -> None:
    world.client("cloudwatch").put_metric_alarm(
        AlarmName="dev-Orders-DeadLetters",
        Namespace="AWS/SQS",
        MetricName="x",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=["arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:1:resource/ecs/x:policyName/y"],
    )

    ended = run("mute", "dev", "Orders", "--why", "x", "--for", "2h")

    assert "Not muted: DeadLetters, because it does more than to notify." in ended.stdout


def test_two_mutes_of_one_minute_are_two(world: World) -> None:
    aws = Aws(find_place("dev", folder=world.folder))
    clock = MovedClock()
    for alarm in alarms_of(aws, [find_worker(aws, "Orders")], roles=["DeadLetters", "OldestMessageTooOld"]):
        mute(aws, [alarm], name="Orders", by="ada", why="x", lasting=60, clock=clock)
        clock.sleep(1)

    muted = [rule["MuteTargets"]["AlarmNames"] for rule in world.mute_rules.rules.values()]
    assert muted == [["dev-Orders-DeadLetters"], ["dev-Orders-OldestMessageTooOld"]]


@pytest.mark.parametrize("worker", [["Orders"], []])
def test_a_mute_names_the_command_that_ends_it_and_that_command_says_what_it_ended(
    world: World, worker: list[str]
) -> None:
    begun = run("mute", "dev", *worker, "--why", "a load test", "--for", "2h")
    end = " ".join(("unmute", "dev", *worker))
    ended = run(*end.split())

    assert begun.stdout.endswith(f"\nEnd it before with: fargate-workers {end}\n")
    assert ended.exit_code == 0, ended.output
    what, number = ("Orders", 2) if worker else ("all workers", 4)
    said = " ".join(ended.stdout.split())
    assert said.startswith(
        f"Ended the mute of {number} alarms of {what}: DeadLetters, OldestMessageTooOld. It was made by "
    )
    assert said.endswith(" (a load test).")
    assert not world.mute_rules.rules


def a_window(world: World, *names: str) -> str:
    """A window that a stack declares, open now."""
    rule = "fargate-workers-dev-AlertsMuteNightly-1A2B3C"
    world.mute_rules.rules[rule] = {
        "Name": rule,
        "Description": "A load test. Scaling, roll-backs and watches for silence are not muted.",
        "MuteTargets": {"AlarmNames": list(names)},
    }
    return rule


def test_the_windows_of_stacks_stay_and_are_named(world: World) -> None:
    window = a_window(world, "dev-Orders-DeadLetters")
    run("mute", "dev", "Orders", "--why", "x", "--for", "2h")

    ended = run("unmute", "dev", "Orders")
    again = run("unmute", "dev", "Orders")

    assert ended.exit_code == 0, ended.output
    assert ended.stdout.endswith("\nStill muted by something else, such as a window of a stack: DeadLetters.\n")
    assert list(world.mute_rules.rules) == [window]
    assert again.exit_code == 1
    assert " ".join(again.stdout.split()) == (
        "No mute of Orders was made by a command; still muted by something else, such as a window of a stack: "
        "DeadLetters."
    )


def test_the_mutes_of_other_workers_and_environments_stay(world: World) -> None:
    run("mute", "dev", "Refunds", "--why", "x", "--for", "2h")
    run("mute", "prod", "Orders", "--why", "x", "--for", "2h", "--yes")
    # Of the environment dev-Orders, and its worker Orders.
    namesake = "fargate-workers-dev-Orders-Orders-20261130T120000-1"
    world.mute_rules.rules[namesake] = {"MuteTargets": {"AlarmNames": ["dev-Orders-Orders-DeadLetters"]}}
    others = list(world.mute_rules.rules)
    run("mute", "dev", "Orders", "--alarm", "DeadLetters", "--why", "x", "--for", "2h")
    run("mute", "dev", "Orders", "--why", "y", "--for", "1h")

    ended = run("unmute", "dev", "Orders", "--json")
    everything = run("unmute", "dev")

    told = json.loads(ended.stdout)
    assert {(each["name"], each["why"]) for each in told["ended"]} <= {("Orders", "x"), ("Orders", "y")}
    assert told["still_muted"] == []
    assert everything.exit_code == 0, everything.output
    assert list(world.mute_rules.rules) == others[1:]


def test_nothing_muted_by_a_command_is_one_sentence_and_1(world: World) -> None:
    ended, as_json = run("unmute", "dev", "Orders"), run("unmute", "dev", "--json")

    assert (ended.exit_code, as_json.exit_code) == (1, 1)
    assert ended.stdout == "No mute of Orders was made by a command.\n"
    assert json.loads(as_json.stdout) == {"ended": [], "still_muted": []}
    assert ended.stderr == as_json.stderr == ""


def test_a_worker_that_is_muted_with_all_leads_to_the_command_for_all(world: World) -> None:
    run("mute", "dev", "--why", "x", "--for", "2h")
    before = dict(world.mute_rules.rules)

    ended = run("unmute", "dev", "Orders")

    run("mute", "dev", "Orders", "--why", "y", "--for", "2h")
    besides = run("unmute", "dev", "Orders")

    assert ended.exit_code == 1
    assert besides.stdout.endswith("\nOrders is muted with all workers; end that with: fargate-workers unmute dev\n")
    assert ended.stdout == (
        "Orders is muted with all workers, and not alone; end that with: fargate-workers unmute dev\n"
    )
    assert world.mute_rules.rules == before


def test_production_is_asked_before_a_mute_ends(world: World) -> None:
    nothing = run("unmute", "prod")
    run("mute", "prod", "--why", "x", "--for", "2h", "--yes")

    asked = run("unmute", "prod")
    ended = run("unmute", "prod", "--yes")

    assert nothing.exit_code == 1
    assert asked.exit_code == 2
    assert "prod: end 1 mute of all workers; what is raised notifies again." in asked.stderr
    assert ended.exit_code == 0, ended.output
    assert not world.mute_rules.rules

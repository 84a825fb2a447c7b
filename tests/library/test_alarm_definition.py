"""An alarm is complete, and CloudWatch will take it, or it is refused in one sentence."""

from typing import Any

import pytest

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric

DEPTH = Metric(namespace="AWS/SQS", name="ApproximateNumberOfMessagesVisible", dimensions={"QueueName": "orders"})


def definition(**changes: Any) -> AlarmDefinition:
    complete: dict[str, Any] = {
        "id": "DeadLetters",
        "symptom": "there are dead letters.",
        "meaning": "Messages were given up.",
        "first_command": "aws sqs list-queues",
        "metrics": {"depth": DEPTH},
    }
    return AlarmDefinition(**(complete | changes))


def test_the_defaults_are_one_datapoint_of_a_minute_that_reaches_one_and_silence_is_well() -> None:
    alarm = definition()

    assert (alarm.comparison, alarm.threshold) == (">=", 1)
    assert (alarm.period, alarm.evaluation_periods, alarm.datapoints_to_alarm) == (60, 1, None)
    assert alarm.missing_data == "notBreaching"


def test_a_metric_is_read_as_a_gauge_by_its_maximum() -> None:
    assert DEPTH.statistic == "Maximum"


def test_the_runbook_is_named_for_the_alarm() -> None:
    assert definition(id="OldestMessageTooOld").runbook == "oldest-message-too-old.md"


def test_the_description_says_whose_trouble_it_is_what_it_means_what_to_type_and_where_to_read_on() -> None:
    alarm = definition(operation="dead-letters list {environment} {worker}")

    assert alarm.describe("prod-Shop/Orders", environment="prod", runbooks="https://wiki.example.com/runbooks") == (
        "prod-Shop/Orders: there are dead letters.\n"
        "Messages were given up.\n"
        "First: fargate-workers dead-letters list prod Orders\n"
        "Or: aws sqs list-queues\n"
        "Runbook: https://wiki.example.com/runbooks/dead-letters.md"
    )


def test_a_name_that_only_cloudformation_knows_counts_with_the_length_it_may_have() -> None:
    command = "aws sqs get-queue-url --queue-name ${Token[TOKEN.1234]}"
    whole = definition(first_command=command, meaning="x" * 700).describe("Orders", environment="prod")
    without_meaning = definition(first_command=command, meaning="x" * 860).describe("Orders", environment="prod")
    shortest = definition(first_command=command, symptom="y" * 860).describe("Orders", environment="prod")
    too_long = definition(first_command=command, symptom="y" * 960)

    assert "x" * 700 in whole
    assert "xx" not in without_meaning
    assert f"Or: {command}" in without_meaning
    assert "First: fargate-workers doctor prod\nRunbook: " in shortest
    with pytest.raises(ValueError, match=r"may become 1\d\d\d characters long; CloudWatch takes 1024"):
        too_long.describe("Orders", environment="prod")


def test_a_name_with_a_blank_is_typed_in_quotes() -> None:
    alarm = definition(operation="status {environment} {worker}")

    assert alarm.begin_with(environment="prod", worker="Apply orders") == "fargate-workers status prod 'Apply orders'"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "dead-letters"}, "names no runbook; use words in PascalCase"),
        ({"symptom": " "}, "has no symptom; say it in one sentence"),
        ({"meaning": ""}, "has no meaning"),
        ({"first_command": ""}, "has no first_command"),
        ({"operation": ""}, "has no operation"),
        ({"metrics": {}}, "watches no metric; name at least one"),
        ({"metrics": {"a": DEPTH, "b": DEPTH}}, "has 2 metrics and no expression; say how they combine"),
        ({"expression": "other > 1"}, "has a metric 'depth' which its expression never uses"),
        ({"period": 45}, "has a period of 45 s; use 10, 20, 30 or a multiple of 60"),
        ({"evaluation_periods": 0}, "has 0 evaluation periods; use at least 1"),
        ({"evaluation_periods": 3, "datapoints_to_alarm": 4}, "wants 4 datapoints out of 3; use a number from 1 to 3"),
        ({"evaluation_periods": 1441}, "looks back 86460 s; CloudWatch allows 86400 s with a period of 60 s"),
        ({"period": 3600, "evaluation_periods": 169}, "looks back 608400 s; CloudWatch allows 604800 s"),
        ({"threshold": float("inf")}, "has the threshold inf; use a finite number"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused_here_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")) as refused:
        definition(**changes)

    assert str(refused.value).count("\n") == 0
    assert str(refused.value).endswith(".")


def test_an_unknown_statistic_is_refused() -> None:
    with pytest.raises(ValueError, match="'p95' of metric Depth is none of CloudWatch's"):
        Metric(namespace="N", name="Depth", dimensions={}, statistic="p95")

"""An alert reaches its reader: topic, key and queues let in whom they must, and nobody else."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from constructs import Construct

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.alerts import Alerts, Subscription
from fargate_workers.alarms.cloudwatch_alarm import add_alarm
from fargate_workers.cluster.stopped_tasks import StoppedTasks

ACCOUNT = {"Ref": "AWS::AccountId"}
POLICIES = pytest.mark.parametrize(
    ("kind", "document"), [("AWS::KMS::Key", "KeyPolicy"), ("AWS::SNS::TopicPolicy", "PolicyDocument")]
)


class Cluster(Construct):
    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "Cluster")
        cluster = ecs.CfnCluster(self, "Cluster")
        self.cluster_arn, self.cluster_name = cluster.attr_arn, cluster.ref


def resources(stack: Stack) -> dict[str, dict[str, Any]]:
    return dict(Template.from_stack(stack).to_json()["Resources"])


@pytest.fixture(scope="module")
def app() -> App:
    return App()


@pytest.fixture(scope="module")
def stacks(app: App) -> dict[str, dict[str, dict[str, Any]]]:
    """All stacks of this module, synthesized together."""
    ours = Stack(app, "Ours")
    alerts = Alerts(
        ours,
        "Alerts",
        emails=["on-call@example.com"],
        subscriptions=[Subscription("https", "https://example.com/alerts")],
    )
    watched = Cluster(ours)
    StoppedTasks(watched, "StoppedTasks", cluster=watched, alerts=alerts)  # type: ignore[arg-type]
    depth = Metric(namespace="AWS/SQS", name="Depth", dimensions={"QueueName": "orders"})
    plain = AlarmDefinition(id="Plain", symptom="s.", meaning="m.", first_command="c", metrics={"depth": depth})
    maths = AlarmDefinition(
        id="Maths",
        symptom="s.",
        meaning="m.",
        first_command="c",
        metrics={"a": depth, "b": depth},
        expression="a + b",
        comparison="<",
        threshold=7,
        period=300,
        evaluation_periods=5,
        datapoints_to_alarm=3,
        missing_data="breaching",
    )
    for definition in (plain, maths):
        add_alarm(ours, definition, subject="Orders", alerts=alerts)
    add_alarm(Construct(ours, "Silent"), replace(plain, id="Unheard"), subject="Orders", alerts=None)

    yours = Stack(app, "Yours")
    topic = sns.Topic.from_topic_arn(yours, "Topic", "arn:aws:sns:eu-west-1:111111111111:existing")
    existing = Alerts(
        yours, "Topical", topic=topic, runbooks="https://wiki.example.com", removal_policy=RemovalPolicy.DESTROY
    )
    assert existing.key is None
    Alerts(yours, "Keyed", key=kms.Key(yours, "Key"))
    return {"ours": resources(ours), "yours": resources(yours)}


@pytest.fixture(scope="module")
def ours(stacks: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return stacks["ours"]


def of_type(found: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource["Properties"] for name, resource in found.items() if resource["Type"] == kind}


def one(found: dict[str, dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (properties,) = (p for n, p in of_type(found, kind).items() if name in n)
    return properties


def statements(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_the_topic_is_encrypted_with_a_key_that_rotates_and_stays(ours: dict[str, dict[str, Any]]) -> None:
    (key,) = (resource for resource in ours.values() if resource["Type"] == "AWS::KMS::Key")

    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert "KmsMasterKeyId" in one(ours, "AWS::SNS::Topic")


@pytest.mark.parametrize(
    ("kind", "document"), [("AWS::KMS::Key", "KeyPolicy"), ("AWS::SNS::TopicPolicy", "PolicyDocument")]
)
def test_alarms_of_this_account_may_publish_and_use_the_key(
    ours: dict[str, dict[str, Any]], kind: str, document: str
) -> None:
    alarms = statements(one(ours, kind)[document])["AlarmsOfThisAccount"]

    assert alarms["Effect"] == "Allow"
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize(
    ("kind", "document"), [("AWS::KMS::Key", "KeyPolicy"), ("AWS::SNS::TopicPolicy", "PolicyDocument")]
)
def test_event_bridge_may_publish_and_use_the_key_without_a_condition_it_never_meets(
    ours: dict[str, dict[str, Any]], kind: str, document: str
) -> None:
    # https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/407
    event_bridge = statements(one(ours, kind)[document])["EventBridge"]

    assert event_bridge["Effect"] == "Allow"
    assert event_bridge["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in event_bridge


def test_the_key_gives_publishers_what_an_encrypted_topic_takes(ours: dict[str, dict[str, Any]]) -> None:
    for name in ("AlarmsOfThisAccount", "EventBridge"):
        statement = statements(one(ours, "AWS::KMS::Key")["KeyPolicy"])[name]
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_nobody_publishes_without_tls(ours: dict[str, dict[str, Any]]) -> None:
    statement = statements(one(ours, "AWS::SNS::TopicPolicy")["PolicyDocument"])["OnlyOverTls"]

    assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_everyone_is_subscribed_and_what_does_not_reach_them_is_kept(ours: dict[str, dict[str, Any]]) -> None:
    subscriptions = of_type(ours, "AWS::SNS::Subscription").values()

    told = {(s["Protocol"], json.dumps(s["Endpoint"])) for s in subscriptions}
    assert ("email", '"on-call@example.com"') in told
    assert ("https", '"https://example.com/alerts"') in told
    assert len(told) == 3
    (undelivered,) = {json.dumps(s["RedrivePolicy"]["deadLetterTargetArn"]) for s in subscriptions}
    assert "Undelivered" in undelivered


def test_a_new_reader_replaces_no_other(ours: dict[str, dict[str, Any]]) -> None:
    assert any("emailoncallexamplecom" in name for name in of_type(ours, "AWS::SNS::Subscription"))


def test_the_history_keeps_every_alert_for_4_days(ours: dict[str, dict[str, Any]]) -> None:
    history = one(ours, "AWS::SQS::Queue", "History")

    assert history["MessageRetentionPeriod"] == 4 * 86_400
    assert history["RedrivePolicy"]["maxReceiveCount"] == 5


def test_what_cannot_be_delivered_is_kept_for_14_days_and_told(ours: dict[str, dict[str, Any]]) -> None:
    assert one(ours, "AWS::SQS::Queue", "Undelivered")["MessageRetentionPeriod"] == 14 * 86_400
    alarm = one(ours, "AWS::CloudWatch::Alarm", "UndeliveredEvents")
    assert [each["Expression"] for each in alarm["Metrics"] if each.get("ReturnData")] == ["visible + hidden"]
    assert alarm["AlarmActions"]


def test_the_queues_are_encrypted_stay_and_take_messages_of_this_account_only(ours: dict[str, dict[str, Any]]) -> None:
    for name in ("Undelivered", "History"):
        (queue,) = (r for n, r in ours.items() if r["Type"] == "AWS::SQS::Queue" and name in n)
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
        assert queue["DeletionPolicy"] == "RetainExceptOnCreate"
        allowed = statements(one(ours, "AWS::SQS::QueuePolicy", name)["PolicyDocument"])
        assert set(allowed) == {"OnlyOverTls", "FromEventsOfThisAccount", "FromSnsOfThisAccount"}
        for service in ("Events", "Sns"):
            condition = json.dumps(allowed[f"From{service}OfThisAccount"]["Condition"]["ArnLike"]["aws:SourceArn"])
            assert f":{service.lower()}:" in condition
            assert "AWS::AccountId" in condition


def test_three_rules_tell_of_tasks_and_services_and_lose_nothing(ours: dict[str, dict[str, Any]]) -> None:
    rules = of_type(ours, "AWS::Events::Rule")

    assert len(rules) == 3
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert "Topic" in json.dumps(target["Arn"])
        assert "Undelivered" in json.dumps(target["DeadLetterConfig"])
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3_600, "MaximumRetryAttempts": 10}


def test_a_stopped_tasks_alert_is_json_with_the_containers_own_reasons(ours: dict[str, dict[str, Any]]) -> None:
    (target,) = one(ours, "AWS::Events::Rule", "Trouble")["Targets"]
    transformer = target["InputTransformer"]

    assert transformer["InputPathsMap"] == {
        "task": "$.detail.taskArn",
        "group": "$.detail.group",
        "stop_code": "$.detail.stopCode",
        "stopped_reason": "$.detail.stoppedReason",
        "containers": "$.detail.containers",
    }
    filled = transformer["InputTemplate"]
    for name in transformer["InputPathsMap"]:
        filled = filled.replace(f"<{name}>", json.dumps([{"reason": 'says "no"'}]))
    assert json.loads(filled)["containers"] == [{"reason": 'says "no"'}]


def test_an_alarm_tells_when_it_is_raised_and_when_it_is_over(ours: dict[str, dict[str, Any]]) -> None:
    alarm = one(ours, "AWS::CloudWatch::Alarm", "Plain")

    assert alarm["AlarmActions"] == alarm["OKActions"]
    assert "Topic" in json.dumps(alarm["AlarmActions"])
    assert alarm["AlarmDescription"] == (
        "Orders: s.\nm.\nFirst: fargate-workers doctor Ours\nOr: c\nRunbook: docs/runbooks/plain.md"
    )
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/SQS", "Depth", "Maximum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (60, 1, "notBreaching")


def test_an_alarm_over_several_metrics_returns_their_expression_alone(ours: dict[str, dict[str, Any]]) -> None:
    alarm = one(ours, "AWS::CloudWatch::Alarm", "Maths")

    assert [(query["Id"], query["ReturnData"]) for query in alarm["Metrics"]] == [
        ("a", False),
        ("b", False),
        ("result", True),
    ]
    assert alarm["Metrics"][2]["Expression"] == "a + b"
    assert alarm["Metrics"][0]["MetricStat"]["Period"] == 300
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 7)
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["TreatMissingData"]) == (5, 3, "breaching")
    assert "Period" not in alarm


def test_an_alarm_without_alerts_tells_nobody(ours: dict[str, dict[str, Any]]) -> None:
    alarm = one(ours, "AWS::CloudWatch::Alarm", "Unheard")

    assert "AlarmActions" not in alarm


def test_a_topic_of_yours_is_left_as_it_is(stacks: dict[str, dict[str, dict[str, Any]]]) -> None:
    topical = {name: r for name, r in stacks["yours"].items() if name.startswith("Topical")}

    assert {r["Type"] for r in topical.values()} == {
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SNS::Subscription",
        "AWS::CloudWatch::Alarm",
    }
    alarm = one(topical, "AWS::CloudWatch::Alarm")
    assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:111111111111:existing"]
    assert "https://wiki.example.com/undelivered-events.md" in json.dumps(alarm["AlarmDescription"])


def test_the_queues_go_with_the_stack_when_asked_to(stacks: dict[str, dict[str, dict[str, Any]]]) -> None:
    queues = [r for n, r in stacks["yours"].items() if n.startswith("Topical") and r["Type"] == "AWS::SQS::Queue"]

    assert len(queues) == 2
    assert not any("DeletionPolicy" in queue for queue in queues)


def test_a_key_of_yours_learns_to_let_both_services_in(stacks: dict[str, dict[str, dict[str, Any]]]) -> None:
    policy = one(stacks["yours"], "AWS::KMS::Key")["KeyPolicy"]

    services = [s["Principal"].get("Service") for s in policy["Statement"]]
    assert {"cloudwatch.amazonaws.com", "events.amazonaws.com"} <= set(services)


def test_a_topic_and_a_key_contradict_each_other() -> None:
    stack = Stack()
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111111111111:existing")

    with pytest.raises(ValueError, match=r"got both a topic and a key; a topic brings its own key, so drop `key`\."):
        Alerts(stack, "Alerts", topic=topic, key=kms.Key(stack, "Key"))


def test_an_alarm_notifies_whatever_has_a_topic_and_runbooks() -> None:
    topic = "arn:aws:sns:eu-west-1:111111111111:theirs"
    ours = SimpleNamespace(topic_arn=topic, runbooks="https://wiki.example.com", mutes=None)
    depth = Metric(namespace="AWS/SQS", name="Depth", dimensions={"QueueName": "orders"})
    definition = AlarmDefinition(id="Plain", symptom="s.", meaning="m.", first_command="c", metrics={"depth": depth})

    alarm = add_alarm(Stack(), definition, subject="Orders", alerts=ours)

    assert alarm.alarm_actions == alarm.ok_actions == [ours.topic_arn]
    assert "https://wiki.example.com/plain.md" in str(alarm.alarm_description)

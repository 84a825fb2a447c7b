"""What a topic could not deliver: who is alarmed, once, and where SNS writes the reason."""

import json
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns
from cdk_nag import AwsSolutionsChecks

from fargate_workers import QueueWorker, WorkerCluster
from tests.doubles.stack_facts import Facts, image, synthesize


def cluster_of(stack: Stack) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)


def fan_out(stack: Stack, *, topics: int = 1, log_failures: bool = False) -> list[QueueWorker]:
    cluster = cluster_of(stack)
    made = [sns.Topic(stack, f"Events{number}", enforce_ssl=True) for number in range(topics)]
    workers = [QueueWorker(stack, name, cluster=cluster, image=image()) for name in ("Shipping", "Billing")]
    for worker in workers:
        for topic in made:
            worker.subscribe(topic, log_failures=log_failures)
    return workers


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    def elsewhere(stack: Stack) -> None:
        arn = "arn:aws:sns:eu-west-1:222222222222:events"
        QueueWorker(stack, "Shipping", cluster=cluster_of(stack), image=image()).subscribe(
            sns.Topic.from_topic_arn(stack, "Events", arn)
        )

    return synthesize(
        {
            "one": fan_out,
            "two": lambda stack: fan_out(stack, topics=2),
            "logged": lambda stack: fan_out(stack, log_failures=True),
            "elsewhere": elsewhere,
        }
    )


def watched(facts: Facts) -> list[str]:
    """The metrics of SNS that alarms read."""
    alarms = facts.all("CloudWatch::Alarm")
    single = [each["MetricName"] for each in alarms if each.get("Namespace") == "AWS/SNS"]
    joined = [
        query["MetricStat"]["Metric"]["MetricName"]
        for each in alarms
        for query in each.get("Metrics", [])
        if query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/SNS"
    ]
    return sorted([*single, *joined])


def test_a_topic_has_its_alarms_once_however_many_workers_are_subscribed(stacks: dict[str, Facts]) -> None:
    once = [
        "NumberOfNotificationsFailed",
        "NumberOfNotificationsFailedToRedriveToDlq",
        "NumberOfNotificationsRedrivenToDlq",
    ]

    assert watched(stacks["one"]) == once
    assert watched(stacks["two"]) == sorted([*once, *once])


def test_a_topic_of_another_account_is_watched_there(stacks: dict[str, Facts]) -> None:
    assert watched(stacks["elsewhere"]) == []


def test_the_first_worker_has_the_alarms() -> None:
    shipping, billing = fan_out(Stack(App(), "Shop"), topics=2)

    names = {name for name in shipping.alarms if name.startswith("Notifications")}
    assert names == {"NotificationsFailed", "NotificationsLost", "NotificationsFailed2", "NotificationsLost2"}
    assert not [name for name in billing.alarms if name.startswith("Notifications")]


def test_sns_logs_failures_in_a_group_that_ends(stacks: dict[str, Facts]) -> None:
    facts = stacks["logged"]
    (logging,) = facts.only("SNS::Topic")["DeliveryStatusLogging"]
    names = [json.dumps(each["LogGroupName"]) for each in facts.all("Logs::LogGroup") if "LogGroupName" in each]

    assert (logging["Protocol"], "SuccessFeedbackRoleArn" in logging) == ("sqs", False)
    assert "Fn::GetAtt" in logging["FailureFeedbackRoleArn"]
    assert len(names) == 1
    assert '"sns/"' in names[0]
    assert '"/Failure"' in names[0]
    assert all("RetentionInDays" in each for each in facts.all("Logs::LogGroup"))


def test_sns_may_write_to_its_own_log_groups_and_nothing_else(stacks: dict[str, Facts]) -> None:
    (statement,) = [each for each in stacks["logged"].statements() if "log-group:sns/" in json.dumps(each["Resource"])]

    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_the_log_is_off_unless_asked_for(stacks: dict[str, Facts]) -> None:
    assert "DeliveryStatusLogging" not in stacks["one"].only("SNS::Topic")


def test_the_log_of_a_topic_made_elsewhere_is_switched_on_there() -> None:
    stack = Stack(App(), "Shop")
    worker = QueueWorker(stack, "Shipping", cluster=cluster_of(stack), image=image())
    topic = sns.Topic.from_topic_arn(stack, "Events", f"arn:aws:sns:{stack.region}:{stack.account}:events")

    with pytest.raises(ValueError, match="Shipping: log_failures changes the topic, which was made elsewhere"):
        worker.subscribe(topic, log_failures=True)


def test_the_log_leaves_nothing_unacknowledged(context: dict[str, Any], tmp_path: Any) -> None:
    app = App(context=context, outdir=str(tmp_path))
    fan_out(Stack(app, "Shop"), log_failures=True)
    app.synth()

    found = {
        (violation.rule_name, each.construct_path)
        for violation in AwsSolutionsChecks(app).validate_scope(app).violations
        for each in violation.violating_resources
    }
    assert {path for _, path in found if path is None or "DeliveryLog" in path} == set()

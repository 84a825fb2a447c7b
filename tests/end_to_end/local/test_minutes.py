"""What the embedded AWS does once a minute, in minutes that are ended by hand."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fargate_workers_toolkit.local import embedded_aws, virtual_environment
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates.assembly import Assembly

pytestmark = pytest.mark.local

Client = Callable[[str], Any]

ACCOUNT = "000000000000"
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/cluster/orders",
    "ScalableDimension": "ecs:service:DesiredCount",
}
POLICY = {**TARGET, "PolicyName": "Backlog", "PolicyType": "TargetTrackingScaling"}


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One with nothing in it."""
    workspace = Workspace(Path(__file__).parents[3], name="test-minutes")
    yield embedded_aws.start(
        workspace,
        interpreter=virtual_environment.prepare(workspace.venv),
        region="eu-west-1",
        seconds_per_minute=None,
        port=embedded_aws.find_port(None),
        owned=True,
    )
    embedded_aws.stop(workspace)


@pytest.fixture(scope="module")
def client(aws: EmbeddedAws) -> Client:
    return Deployed(aws, Assembly(stacks=())).client


def test_what_was_measured_three_minutes_ago_is_found_there_and_grows_older(aws: EmbeddedAws, client: Client) -> None:
    for _ in range(4):
        aws.post("minutes")
    now = present(aws)
    for minutes_ago, value in ((0, 5), (0, 7), (3, 1)):
        put(client, "Measured", value, at=now - timedelta(minutes=minutes_ago))
    assert read(client, now, metric("Measured", "Sum")) == {0: 12, -3: 1}
    now = present(aws)
    assert read(client, now, metric("Measured", "Maximum")) == {-1: 7, -4: 1}


def test_metric_math_is_done_period_by_period(aws: EmbeddedAws, client: Client) -> None:
    put(client, "Waiting", 6, at=present(aws))
    now = present(aws)
    put(client, "Waiting", 8, at=now)
    put(client, "Running", 4, at=now)
    now = present(aws)
    found = read(
        client,
        now,
        {**metric("Waiting", "Maximum", id="waiting"), "ReturnData": False},
        {**metric("Running", "Maximum", id="running"), "ReturnData": False},
        {"Id": "each", "Expression": "waiting / tasks"},
        {"Id": "tasks", "Expression": "IF(FILL(running, 0) < 1, 1, running)", "ReturnData": False},
    )
    assert [found[minute] for minute in (-3, -2, -1)] == [0, 6, 2]


def test_target_tracking_has_the_alarms_that_aws_makes(client: Client) -> None:
    track(client, TargetValue=10)
    high, low = {("GreaterThanThreshold", 10.0, 3)}, {("LessThanThreshold", 9.0, 15)}
    assert tracking_alarms(client) == high | low
    track(client, TargetValue=20)
    high, low = {("GreaterThanThreshold", 20.0, 3)}, {("LessThanThreshold", 18.0, 15)}
    assert tracking_alarms(client) == high | low
    track(client, TargetValue=20, DisableScaleIn=True)
    assert tracking_alarms(client) == high


def test_target_tracking_of_what_nothing_measures_is_refused(client: Client) -> None:
    tracked = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}}
    with pytest.raises(ClientError, match="Nothing measures ALBRequestCountPerTarget here; track one of"):
        client("application-autoscaling").put_scaling_policy(
            **POLICY, TargetTrackingScalingPolicyConfiguration={"TargetValue": 10, **tracked}
        )


def test_a_rule_runs_its_function_when_it_is_due_and_what_fails_is_kept_with_its_input(
    aws: EmbeddedAws, client: Client
) -> None:
    queue = client("sqs").create_queue(QueueName="Failed")["QueueUrl"]
    function = create_failing_function(client, failures=f"arn:aws:sqs:{aws.region}:{ACCOUNT}:Failed")
    run_by_rule(client, function, expression="rate(2 minutes)", given={"why": "no reason"})
    failed = [number_of_messages(client, queue) for _ in range(5) if aws.post("minutes")]
    # It learns of the rule in the first minute.
    assert failed == [0, 0, 1, 1, 2]
    (message, *_) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["requestPayload"] == {"why": "no reason"}
    now = present(aws)
    errors = metric("Errors", "Sum", namespace="AWS/Lambda", dimensions={"FunctionName": "Failing"})
    assert list(read(client, now, errors).values()) == [1, 1]


def test_a_scheduled_action_changes_bounds_and_capacity_when_it_is_due(aws: EmbeddedAws, client: Client) -> None:
    create_service(client, "scheduled", desired=0)
    scaling, target = client("application-autoscaling"), {**TARGET, "ResourceId": "service/cluster/scheduled"}
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=10)
    scaling.put_scheduled_action(
        **target,
        ScheduledActionName="Morning",
        Schedule="rate(2 minutes)",
        ScalableTargetAction={"MinCapacity": 3, "MaxCapacity": 5},
    )
    desired = [desired_tasks(client, "scheduled") for _ in range(4) if aws.post("minutes")]
    assert sorted(desired) == desired
    assert (desired[0], desired[-1]) == (0, 3)
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (3, 5)
    (activity,) = scaling.describe_scaling_activities(**target)["ScalingActivities"]
    assert activity["Cause"] == "scheduled action name Morning was triggered"


def test_an_action_that_is_over_or_deleted_does_nothing(aws: EmbeddedAws, client: Client) -> None:
    create_service(client, "past", desired=0)
    scaling, target = client("application-autoscaling"), {**TARGET, "ResourceId": "service/cluster/past"}
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=10)
    for name, schedule in (("Once", "at(2001-01-01T00:00:00)"), ("Often", "rate(1 minute)")):
        scaling.put_scheduled_action(
            **target, ScheduledActionName=name, Schedule=schedule, ScalableTargetAction={"MinCapacity": 3}
        )
    scaling.delete_scheduled_action(**target, ScheduledActionName="Often")
    assert [desired_tasks(client, "past") for _ in range(3) if aws.post("minutes")] == [0, 0, 0]


def test_a_schedule_that_aws_refuses_is_refused(client: Client) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        client("application-autoscaling").put_scheduled_action(
            **TARGET, ScheduledActionName="Never", Schedule="every day", ScalableTargetAction={"MinCapacity": 1}
        )


# What the tests ask AWS


def create_service(client: Client, name: str, *, desired: int) -> None:
    """One of an image that nobody has: only its counts matter."""
    ecs = client("ecs")
    container = {"name": name, "image": "nobody:has", "essential": True}
    ecs.register_task_definition(family=name, containerDefinitions=[container], networkMode="awsvpc")
    ecs.create_cluster(clusterName="cluster")
    ecs.create_service(cluster="cluster", serviceName=name, taskDefinition=name, desiredCount=desired)


def desired_tasks(client: Client, name: str) -> int:
    (service,) = client("ecs").describe_services(cluster="cluster", services=[name])["services"]
    return service["desiredCount"]


def present(aws: EmbeddedAws) -> datetime:
    """Begins a minute, and says what this machine's clock shows in it."""
    aws.post("minutes")
    return datetime.now(UTC)


def put(client: Client, name: str, value: float, *, at: datetime) -> None:
    datum = {"MetricName": name, "Value": value, "Timestamp": at}
    client("cloudwatch").put_metric_data(Namespace="Tests", MetricData=[datum])


def metric(
    name: str,
    statistic: str,
    *,
    id: str = "metric",
    namespace: str = "Tests",
    dimensions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    given = [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()]
    found = {"Namespace": namespace, "MetricName": name, "Dimensions": given}
    return {"Id": id, "MetricStat": {"Metric": found, "Period": 60, "Stat": statistic}}


def read(client: Client, now: datetime, *queries: Mapping[str, Any]) -> dict[int, float]:
    """The only series that the queries return, by minutes from now, newest first."""
    (result,) = client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=30), EndTime=now
    )["MetricDataResults"]
    begin = now.replace(second=0, microsecond=0)
    return {
        (moment - begin) // timedelta(minutes=1): value
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
    }


def track(client: Client, **configuration: Any) -> None:
    scaling = client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=10)
    tracked = {"Namespace": "Tests", "MetricName": "Backlog", "Statistic": "Average"}
    scaling.put_scaling_policy(
        **POLICY,
        TargetTrackingScalingPolicyConfiguration={"CustomizedMetricSpecification": tracked, **configuration},
    )


def tracking_alarms(client: Client) -> set[tuple[str, float, int]]:
    (policy,) = client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{TARGET['ResourceId']}")
    assert all(alarm["AlarmActions"] == [policy["PolicyARN"]] for alarm in alarms["MetricAlarms"])
    return {
        (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"])
        for alarm in alarms["MetricAlarms"]
    }


def create_failing_function(client: Client, *, failures: str) -> str:
    """One that raises whatever it is given, once."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", "def handler(event, context):\n    raise ValueError(event)\n")
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName="Failing",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    functions.put_function_event_invoke_config(
        FunctionName="Failing", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": failures}}
    )
    return arn


def run_by_rule(client: Client, function: str, *, expression: str, given: Mapping[str, Any]) -> None:
    client("events").put_rule(Name="Often", ScheduleExpression=expression)
    client("events").put_targets(Rule="Often", Targets=[{"Id": "1", "Arn": function, "Input": json.dumps(given)}])


def number_of_messages(client: Client, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])

"""Templates for tests, as small as AWS's resource types allow."""

import json
from pathlib import Path
from typing import Any

Definition = dict[str, Any]

QUEUE_NAME = {"Fn::GetAtt": ["Queue", "QueueName"]}
VISIBLE: Definition = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": QUEUE_NAME}],
    "Statistic": "Maximum",
    "Period": 60,
}


def resource(kind: str, **properties: Any) -> Definition:
    return {"Type": kind, "Properties": properties}


def template(**changes: Definition) -> Definition:
    """A service scaled out by one step; `changes` replace or add resources."""
    resources: dict[str, Definition] = {
        "Queue": resource(
            "AWS::SQS::Queue",
            VisibilityTimeout=90,
            RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 4},
        ),
        "Dead": resource("AWS::SQS::Queue", MessageRetentionPeriod=1209600),
        "Task": resource(
            "AWS::ECS::TaskDefinition",
            Cpu="512",
            Memory="1 GB",
            ContainerDefinitions=[{"Name": "worker", "StopTimeout": 60, "Environment": []}],
        ),
        "Service": resource("AWS::ECS::Service", TaskDefinition={"Ref": "Task"}, DesiredCount=3),
        "Target": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            MinCapacity=1,
            MaxCapacity=20,
            ResourceId={"Fn::Join": ["/", ["service", "cluster", {"Fn::GetAtt": ["Service", "Name"]}]]},
            ScalableDimension="ecs:service:DesiredCount",
            ServiceNamespace="ecs",
        ),
        "Out": step(2),
        "Deep": alarm("Out", **VISIBLE, Threshold=100),
        **changes,
    }
    return {"Resources": {name: item for name, item in resources.items() if item}}


def step(change: int, **configuration: Any) -> Definition:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        PolicyType="StepScaling",
        ScalingTargetId={"Ref": "Target"},
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": change}],
            **configuration,
        },
    )


def tracking(**configuration: Any) -> Definition:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        PolicyType="TargetTrackingScaling",
        ScalingTargetId={"Ref": "Target"},
        TargetTrackingScalingPolicyConfiguration=configuration,
    )


def alarm(*policies: str, **properties: Any) -> Definition:
    return resource(
        "AWS::CloudWatch::Alarm",
        **{
            "AlarmActions": [{"Ref": policy} for policy in policies],
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "EvaluationPeriods": 1,
            **properties,
        },
    )


def written(tmp_path: Path, definition: Definition) -> Path:
    path = tmp_path / "Orders.template.json"
    path.write_text(json.dumps(definition))
    return path

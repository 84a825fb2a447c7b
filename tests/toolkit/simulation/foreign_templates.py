"""Templates as others write them: by hand in CloudFormation, by Copilot."""

from typing import Any

from tests.toolkit.simulation.templates import QUEUE_NAME, Definition, resource


def by_hand() -> Definition:
    """Two services in one template, with parameters, mappings, conditions, substitutions and names written out."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Workers",
        "Parameters": {
            "Stage": {"Type": "String", "Default": "prod"},
            "MostTasks": {"Type": "Number", "Default": "40"},
            "Image": {"Type": "String"},
            "VpcId": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/network/vpc"},
        },
        "Mappings": {"Sizes": {"prod": {"Cpu": "1024", "Memory": "2048"}, "test": {"Cpu": "256", "Memory": "512"}}},
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "IsTest": {"Fn::Not": [{"Condition": "IsProd"}]},
        },
        "Resources": {
            # The alarms come first, and refer to what follows.
            "InvoicesIdle": _depth_alarm("InvoicesIn", comparison="LessThanOrEqualToThreshold", threshold=0, periods=5),
            "InvoicesDeep": _depth_alarm("InvoicesOut", comparison="GreaterThanThreshold", threshold="100", periods=1),
            "TestDeep": {
                **_depth_alarm("InvoicesOut", comparison="GreaterThanThreshold", threshold=1, periods=1),
                "Condition": "IsTest",
            },
            "InvoicesIn": _steps({"MetricIntervalUpperBound": 0, "ScalingAdjustment": "-1"}),
            "InvoicesOut": _steps(
                {"MetricIntervalLowerBound": "0", "MetricIntervalUpperBound": "400", "ScalingAdjustment": 2},
                {"MetricIntervalLowerBound": 400, "ScalingAdjustment": 5},
            ),
            "InvoicesTarget": _target({"Fn::Sub": "service/${Cluster}/${Invoices.Name}"}),
            "Invoices": resource(
                "AWS::ECS::Service",
                Cluster={"Ref": "Cluster"},
                TaskDefinition={"Ref": "Task"},
                DesiredCount={"Fn::If": ["IsProd", 4, 1]},
            ),
            "Mails": resource(
                "AWS::ECS::Service",
                ServiceName={"Fn::Sub": "${Stage}-mails"},
                Cluster={"Ref": "Cluster"},
                TaskDefinition={"Fn::Sub": "${Task}"},
            ),
            "MailsTarget": _target("service/shop/prod-mails"),
            "MailsCpu": resource(
                "AWS::ApplicationAutoScaling::ScalingPolicy",
                PolicyType="TargetTrackingScaling",
                PolicyName="cpu",
                ResourceId="service/shop/prod-mails",
                ScalableDimension="ecs:service:DesiredCount",
                ServiceNamespace="ecs",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": 60,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            ),
            "Cluster": resource("AWS::ECS::Cluster", ClusterName="shop"),
            "Task": resource(
                "AWS::ECS::TaskDefinition",
                Cpu={"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Cpu"]},
                Memory={"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]},
                ExecutionRoleArn={"Fn::ImportValue": "roles-execution"},
                ContainerDefinitions=[
                    {"Name": "sidecar", "Essential": "false", "Image": {"Ref": "Image"}},
                    {
                        "Name": "worker",
                        "Image": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Image}"},
                        "StopTimeout": "90",
                        "Environment": [
                            {"Name": "QUEUE", "Value": {"Ref": "Queue"}},
                            {"Name": "VPC", "Value": {"Ref": "VpcId"}},
                        ],
                    },
                ],
            ),
            "Queue": resource("AWS::SQS::Queue", QueueName={"Fn::Sub": "${Stage}-invoices"}, VisibilityTimeout="120"),
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Condition": "IsTest",
                "Properties": {"TableName": {"Fn::Transform": {"Name": "Upper"}}},
            },
        },
    }


def by_copilot() -> Definition:
    """A worker service of AWS Copilot, which publishes the backlog of a task by a function of its own."""
    return {
        "Resources": {
            "Queue": resource("AWS::SQS::Queue", MessageRetentionPeriod=345600),
            "Task": resource(
                "AWS::ECS::TaskDefinition",
                Cpu="256",
                Memory="512",
                ContainerDefinitions=[
                    {
                        "Name": "orders",
                        "Environment": [{"Name": "COPILOT_QUEUE_URI", "Value": {"Ref": "Queue"}}],
                    }
                ],
            ),
            "Service": resource("AWS::ECS::Service", TaskDefinition={"Ref": "Task"}),
            "AutoScalingTarget": _target(
                {
                    "Fn::Join": [
                        "/",
                        ["service", {"Fn::ImportValue": "ClusterId"}, {"Fn::GetAtt": "Service.Name"}],
                    ]
                }
            ),
            "BacklogPolicy": resource(
                "AWS::ApplicationAutoScaling::ScalingPolicy",
                PolicyType="TargetTrackingScaling",
                ScalingTargetId={"Ref": "AutoScalingTarget"},
                TargetTrackingScalingPolicyConfiguration={
                    "ScaleInCooldown": 120,
                    "ScaleOutCooldown": 60,
                    "TargetValue": 100,
                    "CustomizedMetricSpecification": {
                        "Namespace": {"Fn::Sub": "app-env-orders-BacklogPerTask"},
                        "MetricName": "BacklogPerTask",
                        "Statistic": "Average",
                        "Dimensions": [{"Name": "QueueName", "Value": QUEUE_NAME}],
                        "Unit": "Count",
                    },
                },
            ),
        }
    }


def _target(resource_id: Any) -> Definition:
    return resource(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        MinCapacity="1",
        MaxCapacity={"Ref": "MostTasks"} if isinstance(resource_id, str) or "Fn::Sub" in resource_id else 10,
        ResourceId=resource_id,
        ScalableDimension="ecs:service:DesiredCount",
        ServiceNamespace="ecs",
        RoleARN={"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/scaling"},
    )


def _steps(*steps: Definition) -> Definition:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        PolicyName="steps",
        PolicyType="StepScaling",
        ScalingTargetId={"Ref": "InvoicesTarget"},
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": "60",
            "MetricAggregationType": "Maximum",
            "StepAdjustments": list(steps),
        },
    )


def _depth_alarm(policy: str, *, comparison: str, threshold: Any, periods: int) -> Definition:
    return resource(
        "AWS::CloudWatch::Alarm",
        AlarmName={"Fn::Sub": "${Stage}-" + policy},
        AlarmActions=[{"Ref": policy}, {"Fn::ImportValue": "alerts-topic"}],
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "prod-invoices"}],
        Statistic="Maximum",
        Period="60",
        EvaluationPeriods=str(periods),
        Threshold=threshold,
        ComparisonOperator=comparison,
    )

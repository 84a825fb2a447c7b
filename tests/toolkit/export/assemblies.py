"""A cloud assembly with one worker, as far as an export reads it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNTIME = {
    "WORKER_NAME": "prod-Shop/ApplyOrders",
    "CONCURRENCY": "10",
    "MAX_PROCESSING_SECONDS": "900",
    "STOP_TIMEOUT_SECONDS": "120",
    "HEALTH_FILE": "/tmp/healthy",
}
SQS = {"QUEUE_URL": {"Ref": "Queue"}, "QUEUE_NAME": {"Fn::GetAtt": ["Queue", "QueueName"]}}
KAFKA = {
    "BROKER": "kafka",
    "KAFKA_CLUSTER_ARN": {"Ref": "Cluster"},
    "KAFKA_AUTHENTICATION": "iam",
    "KAFKA_TOPIC": "orders",
    "KAFKA_GROUP": "ApplyOrders",
    "KAFKA_START": "earliest",
}
_REDIS = {"BROKER_REDIS_HOST": "cache.example.com", "BROKER_REDIS_PORT": "6379", "BROKER_REDIS_TLS": "true"}
STREAM = {
    **_REDIS,
    "BROKER": "redis-stream",
    "STREAM_NAME": "orders",
    "STREAM_GROUP": "apply",
    "STREAM_RETAIN_SECONDS": "0",
}
KEPT_STREAM = {**STREAM, "STREAM_RETAIN_SECONDS": "86400"}
LIST = {**_REDIS, "BROKER": "redis-list", "LIST_NAME": "orders", "LIST_DELIVERY": "at-least-once"}

FOR_LATENCY = {
    "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "Metadata": {
        "fargate-workers": {
            "planner": {
                "worker": "prod-Shop/ApplyOrders",
                "policy": {"acceptable_latency": 300, "processing_time": 0.5, "concurrency": 10, "max_tasks": 40},
            }
        }
    },
    "Properties": {"PolicyType": "StepScaling", "ScalingTargetId": {"Ref": "Target"}},
}
ON_BACKLOG = {
    "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "Properties": {
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 100},
    },
}
ON_DEPTH = {
    "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "Properties": {"PolicyType": "StepScaling", "ScalingTargetId": {"Ref": "Target"}},
}
#: What a deployment made of it.
VALUES = {
    "prod-Shop/Queue": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders",
    "prod-Shop/Role": "shop-apply-orders",
    "prod-Shop/Cluster": "arn:aws:kafka:eu-west-1:111122223333:cluster/events/1234",
    "prod/Shop/ApplyOrders/KAFKA_BOOTSTRAP_SERVERS": "b-1.example.com:9098,b-2.example.com:9098",
}


def assembly(
    folder: Path,
    source: Mapping[str, Any] = SQS,
    *,
    policy: Mapping[str, Any] = FOR_LATENCY,
    container: Mapping[str, Any] | None = None,
    **variables: str,
) -> Path:
    """Write an assembly of one stage, `prod`, with one stack and one worker."""
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Cluster": {"Type": "AWS::MSK::ServerlessCluster"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Policy": policy,
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {
                "MinCapacity": 0,
                "MaxCapacity": 40,
                "ResourceId": {"Fn::Join": ["/", ["service/shop", {"Fn::GetAtt": ["Service", "Name"]}]]},
                "ScalableDimension": "ecs:service:DesiredCount",
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Metadata": {"aws:cdk:path": "prod/Shop/ApplyOrders/Service/Service"},
            "Properties": {"TaskDefinition": {"Ref": "Task"}},
        },
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Cpu": "256",
                "Memory": "512",
                "RuntimePlatform": {"CpuArchitecture": "ARM64"},
                "TaskRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ContainerDefinitions": [
                    {
                        "Name": "worker",
                        "Image": {"Fn::Sub": "111122223333.dkr.ecr.eu-west-1.${AWS::URLSuffix}/shop:1"},
                        "Command": ["python", "-m", "shop.apply_orders"],
                        "Environment": [
                            {"Name": name, "Value": value} for name, value in {**RUNTIME, **source, **variables}.items()
                        ],
                        "HealthCheck": {
                            "Command": ["CMD-SHELL", "python -m fargate_workers_runtime.health || [ $? -ne 3 ]"],
                            "Interval": 30,
                            "Retries": 3,
                            "StartPeriod": 60,
                            "Timeout": 5,
                        },
                        "LinuxParameters": {"InitProcessEnabled": True},
                        "ReadonlyRootFilesystem": True,
                        "StopTimeout": 120,
                        "User": "10001:10001",
                        **(container or {}),
                    }
                ],
            },
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Shop.template.json").write_text(json.dumps({"Resources": resources}))
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://111122223333/eu-west-1",
        "properties": {"templateFile": "Shop.template.json", "stackName": "prod-Shop"},
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "1", "artifacts": {"Shop": artifact}}))
    return folder

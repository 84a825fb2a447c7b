"""A deployed environment in moto: two workers with queues, services, scalable targets, alarms and logs."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.places import Aws
from tests.toolkit.operations.letters import REGION, Queues

ACCOUNT = "123456789012"  # moto's
ALARMS = ("DeadLetters", "OldestMessageTooOld", "HandlerFailing")


class Tagging:
    """The tagging API over scalable targets and alarms, which moto's own leaves out."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, str]] = {}

    def get_paginator(self, name: str) -> "Tagging":
        assert name == "get_resources"
        return self

    def paginate(
        self,
        *,
        TagFilters: Sequence[dict[str, Any]],  # noqa: N803  boto3's names
        ResourceTypeFilters: Sequence[str],  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        kinds = tuple(kind.split(":")[1] for kind in ResourceTypeFilters)
        for arn, found in self.resources.items():
            wanted = all(found.get(each["Key"]) in each["Values"] for each in TagFilters)
            if wanted and any(f":{kind}" in arn for kind in kinds):
                yield {
                    "ResourceTagMappingList": [
                        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in found.items()]}
                    ]
                }


class MuteRules:
    """The mute rules of CloudWatch; all of them are active."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}

    def calls(self) -> dict[str, Any]:
        return {
            "put_alarm_mute_rule": lambda **rule: self.rules.update({rule["Name"]: rule}),
            "list_alarm_mute_rules": lambda **_: {
                "AlarmMuteRuleSummaries": [
                    {"AlarmMuteRuleArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm-mute-rule:{name}"}
                    for name in self.rules
                ]
            },
            "get_alarm_mute_rule": lambda AlarmMuteRuleName: {  # noqa: N803
                **self.rules[AlarmMuteRuleName],
                "Status": "ACTIVE",
            },
            "delete_alarm_mute_rule": lambda AlarmMuteRuleName: self.rules.pop(AlarmMuteRuleName, None),  # noqa: N803
        }


class Functions:
    """Lambda's functions and event source mappings; those of moto would run the functions in Docker."""

    def __init__(self) -> None:
        self.mappings: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self._configurations: dict[str, dict[str, Any]] = {}

    def add(self, name: str, urls: Sequence[str]) -> tuple[str, str]:
        """A function that drains the first queue; returns its ARN, and the id of its mapping."""
        arn, mapping = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}", f"mapping-{name}"
        self._configurations[arn] = {
            "Architectures": ["arm64"],
            "Environment": {"Variables": {"QUEUE_URL": urls[0], "DEAD_LETTER_QUEUE_URL": urls[1]}},
            "LastModified": "2026-11-30T12:00:00.000+0000",
            "LoggingConfig": {"LogGroup": f"{name}-logs"},
        }
        self.mappings[mapping] = {
            "UUID": mapping,
            "State": "Enabled",
            "EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            "FunctionArn": arn,
            "BatchSize": 7,
            "ScalingConfig": {"MaximumConcurrency": 20},
        }
        self.tags[arn] = {}
        return arn, mapping

    def calls(self) -> dict[str, Any]:
        return {
            "get_function_configuration": lambda FunctionName: self._configurations[FunctionName],  # noqa: N803
            "list_event_source_mappings": lambda FunctionName: {  # noqa: N803
                "EventSourceMappings": [each for each in self.mappings.values() if FunctionName in each["FunctionArn"]]
            },
            "list_tags": lambda Resource: {"Tags": dict(self.tags[Resource])},  # noqa: N803
            "tag_resource": lambda Resource, Tags: self.tags[Resource].update(Tags),  # noqa: N803
            "untag_resource": self._untag,
            "update_event_source_mapping": self.update,
        }

    def update(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        self.mappings[UUID]["State"] = "Enabled" if Enabled else "Disabled"

    def _untag(self, *, Resource: str, TagKeys: Sequence[str]) -> None:  # noqa: N803
        for name in TagKeys:
            self.tags[Resource].pop(name, None)


class Filled:
    """A client with some calls of our own."""

    def __init__(self, client: Any, calls: dict[str, Any]) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)


@cache
def _client(service: str) -> Any:
    """One for all tests of a process: a client takes longer to make than most tests have work for it."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    # Whatever the shell of the test says in which it is made.
    config = Config(ignore_configured_endpoint_urls=True)
    return boto3.Session(region_name=REGION, **keys).client(service, config=config)  # pyright: ignore


@dataclass
class World:
    """What is deployed."""

    tagging: Tagging
    folder: Path
    mute_rules: "MuteRules"
    functions: "Functions"

    def client(self, service: str) -> Any:
        return _client(service)

    def queues(self, worker: str) -> Queues:
        sqs = self.client("sqs")
        urls = [sqs.get_queue_url(QueueName=f"{worker}{suffix}")["QueueUrl"] for suffix in ("", "-dead")]
        return Queues(_AwsOf(self), *urls)  # pyright: ignore[reportArgumentType]

    def service(self, worker: str, environment: str = "dev") -> dict[str, Any]:
        answer = self.client("ecs").describe_services(
            cluster=f"{environment}-cluster", services=[worker], include=["TAGS"]
        )
        return answer["services"][0]

    def target(self, worker: str, environment: str = "dev") -> dict[str, Any]:
        answer = self.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[f"service/{environment}-cluster/{worker}"]
        )
        return answer["ScalableTargets"][0]

    def deploy(self, environment: str, workers: Sequence[str]) -> None:
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName=f"{environment}-cluster")
        self.deploy_workers(environment, workers)

    def deploy_workers(self, environment: str, workers: Sequence[str]) -> None:
        for worker in workers:
            self._deploy_worker(environment, worker)

    def _deploy_worker(self, environment: str, worker: str) -> None:
        prefix = "" if environment == "dev" else f"{environment}-"
        urls = [
            self.client("sqs").create_queue(QueueName=f"{prefix}{worker}{suffix}")["QueueUrl"]
            for suffix in ("", "-dead")
        ]
        variables = {
            "QUEUE_URL": urls[0],
            "DEAD_LETTER_QUEUE_URL": urls[1],
            "WORKER_NAME": f"{environment}-W/{worker}",
            "CLAIMS_TABLE_NAME": "claims",
        }
        log_group = f"{environment}-{worker}-logs"
        self.client("logs").create_log_group(logGroupName=log_group)
        ecs = self.client("ecs")
        registered = ecs.register_task_definition(
            family=f"{environment}-{worker}",
            runtimePlatform={"cpuArchitecture": "ARM64"},
            containerDefinitions=[
                {
                    "name": "worker",
                    "image": "workers:1",
                    "memory": 512,
                    "environment": [{"name": name, "value": value} for name, value in variables.items()],
                    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": log_group}},
                }
            ],
        )
        ecs.create_service(
            cluster=f"{environment}-cluster",
            serviceName=worker,
            taskDefinition=registered["taskDefinition"]["taskDefinitionArn"],
            desiredCount=2,
        )
        own = {tags.ENVIRONMENT: environment, tags.WORKER: f"{environment}-W/{worker}"}
        scaling = self.client("application-autoscaling")
        scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{environment}-cluster/{worker}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=1,
            MaxCapacity=10,
        )
        target = self.target(worker, environment)
        self.tagging.resources[target["ScalableTargetARN"]] = {**own, tags.ROLE: tags.SCALING_ROLE}
        for role in ALARMS:
            name = f"{environment}-{worker}-{role}"
            self.client("cloudwatch").put_metric_alarm(
                AlarmName=name,
                AlarmDescription=f"{worker}: {role}.",
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Statistic="Maximum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=900,
                ComparisonOperator="GreaterThanThreshold",
                AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"],
            )
            arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
            self.tagging.resources[arn] = {**own, tags.ROLE: role}

    def deploy_function(self, environment: str, worker: str) -> str:
        """A function that drains a queue of its own; returns the id of its event source mapping."""
        urls = [self.client("sqs").create_queue(QueueName=f"{worker}{suffix}")["QueueUrl"] for suffix in ("", "-dead")]
        self.client("logs").create_log_group(logGroupName=f"{worker}-logs")
        arn, mapping = self.functions.add(worker, urls)
        self.tagging.resources[arn] = {
            tags.ENVIRONMENT: environment,
            tags.WORKER: f"{environment}-W/{worker}",
            tags.ROLE: tags.FUNCTION_ROLE,
        }
        return mapping

    def deploy_drainer(self, environment: str, worker: str, variables: dict[str, str]) -> None:
        """A worker like the others that drains another source than its queue."""
        self.deploy_workers(environment, [worker])
        ecs = self.client("ecs")
        definition = ecs.describe_task_definition(taskDefinition=f"{environment}-{worker}")["taskDefinition"]
        container = definition["containerDefinitions"][0]
        container["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
        newer = ecs.register_task_definition(
            family=f"{environment}-{worker}",
            runtimePlatform=definition["runtimePlatform"],
            containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(cluster=f"{environment}-cluster", service=worker, taskDefinition=newer)


class _AwsOf:
    def __init__(self, world: World) -> None:
        self._world = world

    def client(self, service: str) -> Any:
        return self._world.client(service)


@contextmanager
def deployed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Environments dev and prod with the workers Orders and Refunds, and their files in a folder."""
    environments = folder / "environments"
    environments.mkdir(parents=True)
    for name in ("dev", "prod", "empty"):
        (environments / f"{name}.toml").write_text(f'account = "{ACCOUNT}"\nregion = "{REGION}"\n')
    (environments / "other.toml").write_text(f'account = "999999999999"\nregion = "{REGION}"\n')
    (folder / "cdk.json").write_text(json.dumps({}))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    tagging = Tagging()
    client = Aws.client

    rules, functions = MuteRules(), Functions()
    # What moto lacks.
    filled: dict[str, dict[str, Any]] = {
        "application-autoscaling": {"describe_scaling_activities": lambda **_: {"ScalingActivities": []}},
        "cloudwatch": rules.calls(),
        "ecs": {"get_task_protection": lambda **_: {"protectedTasks": []}},
        "lambda": functions.calls(),
    }

    def filled_client(self: Aws, service: str) -> Any:
        if service == "resourcegroupstaggingapi":
            return tagging
        real = client(self, service)
        return Filled(real, filled[service]) if service in filled else real

    monkeypatch.setattr(Aws, "client", filled_client)
    with mock_aws():
        world = World(tagging, folder, rules, functions)
        world.deploy("dev", ["Orders", "Refunds"])
        world.deploy("prod", ["Orders"])
        yield world

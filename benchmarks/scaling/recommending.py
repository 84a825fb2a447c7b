"""How long `fargate-workers recommend` takes: 200 policies and more, three loads, two processors."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.report import Check, Row

LOADS = ("burst", "diurnal", "heavy")
LEAST_POLICIES = 200
MOST_SECONDS = 60.0
PROCESSORS = 2


def template() -> dict[str, Any]:
    """A service that two steps scale on its queue's depth."""
    queue = {"Fn::GetAtt": ["Queue", "QueueName"]}
    visible = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
    }
    service = {"Fn::Join": ["/", ["service", "cluster", {"Fn::GetAtt": ["Service", "Name"]}]]}
    return {
        "Resources": {
            "Queue": _resource("AWS::SQS::Queue", VisibilityTimeout=60),
            "Task": _resource(
                "AWS::ECS::TaskDefinition", Cpu="256", Memory="512", ContainerDefinitions=[{"Name": "worker"}]
            ),
            "Service": _resource("AWS::ECS::Service", TaskDefinition={"Ref": "Task"}, DesiredCount=5),
            "Target": _resource(
                "AWS::ApplicationAutoScaling::ScalableTarget",
                MinCapacity=1,
                MaxCapacity=50,
                ResourceId=service,
                ScalableDimension="ecs:service:DesiredCount",
                ServiceNamespace="ecs",
            ),
            "Out": _step(2, "MetricIntervalLowerBound"),
            "In": _step(-1, "MetricIntervalUpperBound"),
            "Deep": _alarm("Out", "GreaterThanOrEqualToThreshold", 100, visible),
            "Empty": _alarm("In", "LessThanOrEqualToThreshold", 0, visible),
        }
    }


def check() -> Check:
    with TemporaryDirectory() as folder:
        assembly = Path(folder, "Orders.template.json")
        assembly.write_text(json.dumps(template()), encoding="utf-8")
        before = time.monotonic()
        found = _recommended(assembly)
        seconds = time.monotonic() - before
    return Check(
        measures="recommend: 200 policies, three loads, two processors",
        rows=[
            Row(name="seconds", value=seconds, most=MOST_SECONDS, digits=1, beside=f"under {', '.join(LOADS)}"),
            Row(name="policies tried", value=found.get("tried", 0), least=LEAST_POLICIES, beside=found["sentence"]),
        ],
        beside={"processors": len(os.sched_getaffinity(0)), "sentence": found["sentence"]},
    )


def _recommended(assembly: Path) -> Mapping[str, Any]:
    """By the command, which starts its processes itself, on no more processors than are promised for."""
    command = [
        sys.executable,
        "-m",
        "fargate_workers_toolkit.command",
        "recommend",
        str(assembly),
        "--slo",
        "300",
        "--json",
    ]
    for load in LOADS:
        command += ["--load", load]
    some = sorted(os.sched_getaffinity(0))[:PROCESSORS]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, some)
    )
    return json.loads(done.stdout)


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _step(change: int, bound: str) -> dict[str, Any]:
    return _resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        PolicyType="StepScaling",
        ScalingTargetId={"Ref": "Target"},
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": 60,
            "StepAdjustments": [{bound: 0, "ScalingAdjustment": change}],
        },
    )


def _alarm(policy: str, comparison: str, threshold: int, metric: Mapping[str, Any]) -> dict[str, Any]:
    return _resource(
        "AWS::CloudWatch::Alarm",
        AlarmActions=[{"Ref": policy}],
        ComparisonOperator=comparison,
        Threshold=threshold,
        **metric,
    )

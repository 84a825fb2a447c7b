"""The function that plans, once a minute, how many tasks the workers of a cluster need."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aws_cdk
from aws_cdk import RemovalPolicy
from aws_cdk import aws_events as events
from constructs import Construct

from fargate_workers._acknowledge import acknowledge
from fargate_workers._aws import arn
from fargate_workers._function import python_function
from fargate_workers._service_queue import service_queue
from fargate_workers._service_role import allow
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import scaling_planner_alarms

if TYPE_CHECKING:
    from fargate_workers.latency_budget import PlannedWorker
    from fargate_workers.worker_cluster import WorkerCluster
    from fargate_workers.worker_queue import WorkerQueue

NAMESPACE = "FargateWorkers/Scaling"

# Of all variables together: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_ENVIRONMENT = 4_096
# Shorter than the minute between two runs, so that they never meet.
TIMEOUT_SECONDS = 50
# What a plan says is stale when the next one is due, and EventBridge takes no less.
MAXIMUM_AGE_SECONDS = 60

_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
# CloudFormation puts names in the tokens' places. A queue's has 80 characters at most, as others have in practice.
_LONGEST_NAME = "n" * 80
_LONGEST_QUEUE_URL = f"https://sqs.ap-southeast-1.amazonaws.com/123456789012/{_LONGEST_NAME}"


class ScalingPlanner(Construct):
    """The planner of the workers of one cluster and stack that are scaled by `Scaling.for_latency`.

        cluster.scaling_planner(stack).alarms["PlannerSilent"]

    A worker makes it, or joins it, by itself. It reads the workers' queues, services and metrics, and publishes per
    worker (namespace FargateWorkers/Scaling, dimension Worker) DesiredTasks, CapacityGap, CapacityGapIn and
    BacklogSeconds, on which the workers' scaling policies act. While it is silent, all keep the tasks they have, and an
    alarm says so. A run that fails is not repeated, for the next one is due; its event is kept for a day.
    """

    def __init__(self, scope: Construct, id: str, *, cluster: "WorkerCluster") -> None:
        super().__init__(scope, id)
        # Not the alerts' queue: what lies there is work still to be done, and a plan is out of date after a minute.
        failed = service_queue(
            self, "Failed", senders=["events"], retention_days=1, removal_policy=RemovalPolicy.DESTROY
        )
        acknowledge(
            failed.resource,
            {"Serverless-SQSRedrivePolicy": "A dead-letter queue itself; AwsSolutions-SQS3, which can tell, passes."},
        )
        for service in ("ecs", "monitoring"):
            cluster.add_endpoint(service)
        self._cluster_name = cluster.cluster_name
        self._workers: dict[str, dict[str, Any]] = {}
        self._queue_arns: list[str] = []
        self._service_arns: list[str] = []
        function = python_function(
            self,
            "scaling_planner",
            cluster=cluster,
            description="Plans how many tasks each worker needs",
            environment={},
            statements=[
                allow(["cloudwatch:GetMetricData"], "*"),
                allow(
                    ["cloudwatch:PutMetricData"],
                    "*",
                    conditions={"StringEquals": {"cloudwatch:namespace": NAMESPACE}},
                ),
            ],
            dead_letter_queue_arn=failed.arn,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        self._function = function
        self.function = function.resource
        self.function_name = function.name
        self._run_every_minute(failed.arn)
        subject = f"The scaling planner of {cluster.node.id}"
        self.alarms = {
            alarm.id: add_alarm(self, alarm, subject=subject, alerts=cluster.alerts)
            for alarm in scaling_planner_alarms(function_name=function.name, log_group_name=function.log_group_name)
        }

    def plan_for(self, planned: "PlannedWorker", *, queue: "WorkerQueue", service_name: str) -> None:
        """Let the planner plan for one more worker, and read its queue and its service.

        Raises ValueError for a second worker of one name, and for more workers than a function can be told of.
        """
        worker, policy = planned
        if worker in self._workers:
            raise ValueError(
                f"{self.node.path}: two workers are called {worker}, and would follow each other's plans; rename one."
            )
        self._workers[worker] = {
            "worker": worker,
            "queue_url": queue.queue_url,
            "queue_name": queue.queue_name,
            "cluster": self._cluster_name,
            "service": service_name,
            "policy": policy,
        }
        self._queue_arns.append(queue.queue_arn)
        self._service_arns.append(arn("ecs", f"service/{self._cluster_name}/{service_name}"))
        text = json.dumps(list(self._workers.values()), separators=(",", ":"))
        size = len("WORKERS") + _longest(self._workers)
        if size > LARGEST_ENVIRONMENT:
            raise ValueError(
                f"{worker}: to tell the scaling planner of {len(self._workers)} workers may take {size} bytes, and "
                f"Lambda takes {LARGEST_ENVIRONMENT}; put some of them into another stack."
            )
        # Set anew with every worker: a lazy value would be asked for across processes while the app is synthesized.
        self.function.environment = aws_cdk.aws_lambda.CfnFunction.EnvironmentProperty(variables={"WORKERS": text})
        self._function.permit(
            allow(["sqs:GetQueueAttributes"], *dict.fromkeys(self._queue_arns)),
            allow(["ecs:DescribeServices"], *self._service_arns),
        )

    def _run_every_minute(self, dead_letter_queue_arn: str) -> None:
        lambda_ = aws_cdk.aws_lambda
        rule = events.CfnRule(
            self,
            "EveryMinute",
            description="Runs the scaling planner.",
            schedule_expression="rate(1 minute)",
            targets=[
                events.CfnRule.TargetProperty(
                    id="Planner",
                    arn=self.function.attr_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead_letter_queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=0, maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS
                    ),
                )
            ],
        )
        lambda_.CfnPermission(
            self,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=self.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )
        lambda_.CfnEventInvokeConfig(
            self,
            "Once",
            function_name=self.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=dead_letter_queue_arn)
            ),
        )


def _longest(workers: Mapping[str, Mapping[str, Any]]) -> int:
    """The bytes that the workers take as JSON, with the longest names in the place of those not known yet."""
    known = [
        {
            **{name: _TOKEN.sub(_LONGEST_NAME, value) for name, value in worker.items() if isinstance(value, str)},
            "queue_url": _TOKEN.sub(_LONGEST_QUEUE_URL, worker["queue_url"]),
            "policy": worker["policy"],
        }
        for worker in workers.values()
    ]
    return len(json.dumps(known, separators=(",", ":")).encode())

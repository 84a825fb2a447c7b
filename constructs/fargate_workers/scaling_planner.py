"""The function that plans, once a minute, how many tasks the workers of a cluster need."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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

# Of a target: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
LONGEST_INPUT = 8_192
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

    A rule calls it every minute and names the workers: one rule for about a dozen of them, whatever they are called.
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
        self._reserve_concurrency = cluster.reserve_concurrency
        self._told: list[_Told] = []
        self._queue_arns: list[str] = []
        self._service_arns: list[str] = []
        function = python_function(
            self,
            "scaling_planner",
            cluster=cluster,
            description="Plans how many tasks each worker needs",
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
        self._failed_arn = failed.arn
        self._run_each_event_once()
        subject = f"The scaling planner of {cluster.node.id}"
        self.alarms = {
            alarm.id: add_alarm(self, alarm, subject=subject, alerts=cluster.alerts)
            for alarm in scaling_planner_alarms(function_name=function.name, log_group_name=function.log_group_name)
        }

    def plan_for(self, planned: "PlannedWorker", *, queue: "WorkerQueue", service_name: str) -> None:
        """Let the planner plan for one more worker, and read its queue and its service."""
        worker, policy = planned
        self._tell(
            {
                "worker": worker,
                "queue_url": queue.queue_url,
                "queue_name": queue.queue_name,
                "cluster": self._cluster_name,
                "service": service_name,
                "policy": policy,
            }
        )
        self._queue_arns.append(queue.queue_arn)
        self._service_arns.append(arn("ecs", f"service/{self._cluster_name}/{service_name}"))
        self._function.permit(
            allow(["sqs:GetQueueAttributes"], *dict.fromkeys(self._queue_arns)),
            allow(["ecs:DescribeServices"], *self._service_arns),
        )

    def _tell(self, worker: Mapping[str, Any]) -> None:
        """Name the worker to the function, in the newest rule's input or, when that is full, in a further rule's."""
        if not self._told or _longest([*self._told[-1].workers, worker]) > LONGEST_INPUT:
            self._told.append(_Told(self._rule(number=len(self._told) + 1), []))
            if self._reserve_concurrency:
                self.function.reserved_concurrent_executions = len(self._told)
        rule, workers = self._told[-1]
        workers.append(worker)
        # Set anew with every worker: a lazy value would be asked for across processes while the app is synthesized.
        rule.targets = [
            events.CfnRule.TargetProperty(
                id="Planner",
                arn=self.function.attr_arn,
                input=_input(workers),
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._failed_arn),
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS
                ),
            )
        ]

    def _rule(self, *, number: int) -> events.CfnRule:
        suffix = "" if number == 1 else str(number)
        rule = events.CfnRule(
            self,
            f"EveryMinute{suffix}",
            description="Runs the scaling planner.",
            schedule_expression="rate(1 minute)",
        )
        aws_cdk.aws_lambda.CfnPermission(
            self,
            f"Permission{suffix}",
            action="lambda:InvokeFunction",
            function_name=self.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )
        return rule

    def _run_each_event_once(self) -> None:
        lambda_ = aws_cdk.aws_lambda
        lambda_.CfnEventInvokeConfig(
            self,
            "Once",
            function_name=self.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self._failed_arn)
            ),
        )


class _Told(NamedTuple):
    """A rule, and the workers it names."""

    rule: events.CfnRule
    workers: list[Mapping[str, Any]]


def _input(workers: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"workers": workers}, separators=(",", ":"))


def _longest(workers: Sequence[Mapping[str, Any]]) -> int:
    """The length of the workers' input, with the longest names in the place of those not known yet."""
    with_urls = [{**worker, "queue_url": _TOKEN.sub(_LONGEST_QUEUE_URL, worker["queue_url"])} for worker in workers]
    return len(_TOKEN.sub(_LONGEST_NAME, _input(with_urls)))

"""The function that plans, once a minute, how many tasks the workers of a cluster need."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import aws_cdk
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

import fargate_workers_planner
from fargate_workers.alarms import add_alarm
from fargate_workers.alarms.catalogue import scaling_planner_alarms
from fargate_workers.cloudformation import PLANNER_ROLE, TOKEN, allow, arn, dead_letter_queue, qualify, stack_of
from fargate_workers.cluster import EveryMinute, WorkerCluster, python_function, run_each_event_once
from fargate_workers.errors import ConfigurationError
from fargate_workers.scaling.latency_budget import PlannedWorker
from fargate_workers.sources import WorkSource
from fargate_workers_planner.metric_names import PLANNER_NAMESPACE

# Of a target: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
LONGEST_INPUT = 8_192
# Shorter than the minute between two runs, so that they never meet.
TIMEOUT_SECONDS = 50

# CloudFormation puts names in the tokens' places: 80 characters at most, in practice.
_LONGEST_NAME = "n" * 80


_planners: WeakKeyDictionary[WorkerCluster, dict[Stack, "ScalingPlanner"]] = WeakKeyDictionary()


class ScalingPlanner(Construct):
    """The planner of the workers of one cluster and stack that are scaled by `Scaling.for_latency`.

        ScalingPlanner.of(stack, cluster=cluster).alarms["PlannerSilent"]

    A worker makes it, or joins it, by itself. It reads the workers' sources, services and metrics, and publishes per
    worker (namespace FargateWorkers/Scaling, dimension Worker) DesiredTasks, CapacityGap, CapacityGapIn and
    BacklogSeconds, on which the workers' scaling policies act. While it is silent, all keep the tasks they have, and an
    alarm says so. A run that fails is not repeated, for the next one is due; its event is kept for a day.

    A rule calls it every minute and names the workers: one rule for about a dozen of them, whatever they are called.

    Args:
        scope: The stack of the workers.
        id: The id of the construct.
        cluster: The cluster that runs the workers. Its `alerts` receive the planner's alarms.
    """

    def __init__(self, scope: Construct, id: str, *, cluster: WorkerCluster) -> None:
        super().__init__(scope, id)
        # Not the alerts' queue: what lies there is work still to be done, and a plan is out of date after a minute.
        failed = dead_letter_queue(
            self, "Failed", senders=["events"], retention_days=1, removal_policy=RemovalPolicy.DESTROY
        )
        for service in ("ecs", "monitoring"):
            cluster.add_endpoint(service)
        self._cluster_name = cluster.cluster_name
        self._reserve_concurrency = cluster.reserve_concurrency
        self._entries: list[_RuleEntry] = []
        self._sources: dict[tuple[str, ...], list[str]] = {}
        self._service_arns: list[str] = []
        subject = qualify(scope, id)
        function = python_function(
            self,
            fargate_workers_planner,
            cluster=cluster,
            name=subject,
            role_tag=PLANNER_ROLE,
            description="Plans how many tasks each worker needs",
            statements=[
                allow(["cloudwatch:GetMetricData"], "*"),
                allow(
                    ["cloudwatch:PutMetricData"],
                    "*",
                    conditions={"StringEquals": {"cloudwatch:namespace": PLANNER_NAMESPACE}},
                ),
            ],
            dead_letter_queue_arn=failed.arn,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        self._function = function
        self.function: aws_cdk.aws_lambda.CfnFunction = function.resource
        self.function_name: str = function.name
        self._failed_arn = failed.arn
        run_each_event_once(self, function, failed_arn=failed.arn)
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {
            alarm.id: add_alarm(self, alarm, subject=subject, alerts=cluster.alerts, environment=cluster.environment)
            for alarm in scaling_planner_alarms(function_name=function.name, log_group_name=function.log_group_name)
        }

    @staticmethod
    def of(scope: Construct, *, cluster: WorkerCluster) -> "ScalingPlanner":
        """The planner for the workers of `cluster` in the stack of `scope`; it is made when first asked for.

        It belongs to their stack, because it names their queues and services, and their stack depends on the cluster's.
        """
        stack = stack_of(scope)
        planners = _planners.setdefault(cluster, {})
        if stack not in planners:
            name = f"{cluster.node.id}ScalingPlanner"
            if stack.node.try_find_child(name) is not None:  # of a cluster of the same name, from elsewhere
                name += cluster.node.addr
            planners[stack] = ScalingPlanner(stack, name, cluster=cluster)
        return planners[stack]

    def plan_for(self, planned: PlannedWorker, *, source: WorkSource, service_name: str) -> None:
        """Plan for one more worker, and read its source and its service.

        Args:
            planned: The worker's name and policy.
            source: The source that the worker drains.
            service_name: The name of its ECS service.

        Raises:
            ConfigurationError: The planner cannot read such a source.
        """
        worker, policy = planned
        read = source.planner_input
        if read is None:
            raise ConfigurationError(
                f"{worker}: the planner of for_latency cannot read this source of work; use "
                "for_latency(function=False, processing_time=...) or another scaling."
            )
        names = {"cluster": self._cluster_name, "service": service_name, "policy": policy}
        self._set_worker(
            {"worker": worker, **read.fields, **names}, longest={"worker": worker, **read.longest, **names}
        )
        if read.resource is not None:
            self._sources.setdefault(tuple(read.actions), []).append(read.resource)
        self._service_arns.append(arn("ecs", f"service/{self._cluster_name}/{service_name}"))
        self._function.permit(
            *(allow(list(actions), *dict.fromkeys(arns)) for actions, arns in self._sources.items()),
            allow(["ecs:DescribeServices"], *self._service_arns),
        )

    def _set_worker(self, worker: Mapping[str, Any], *, longest: Mapping[str, Any]) -> None:
        """Name the worker to the function, in the newest rule's input or, when that is full, in a further rule's.

        Args:
            worker: The worker in the planner's input.
            longest: The same with the longest values of its source.
        """
        if not self._entries or _length([*self._entries[-1].longest, longest]) > LONGEST_INPUT:
            self._entries.append(_RuleEntry(self._rule(number=len(self._entries) + 1), [], []))
            if self._reserve_concurrency:
                self.function.reserved_concurrent_executions = len(self._entries)
        rule, workers, most = self._entries[-1]
        workers.append(worker)
        most.append(longest)
        rule.set_input(_input(workers))

    def _rule(self, *, number: int) -> EveryMinute:
        return EveryMinute(
            self,
            self._function,
            description="Runs the scaling planner.",
            target="Planner",
            failed_arn=self._failed_arn,
            number=number,
        )


class _RuleEntry(NamedTuple):
    """A rule, the workers it names, and the same with the longest values of their sources."""

    rule: EveryMinute
    workers: list[Mapping[str, Any]]
    longest: list[Mapping[str, Any]]


def _input(workers: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"workers": workers}, separators=(",", ":"))


def _length(workers: Sequence[Mapping[str, Any]]) -> int:
    """The length of the workers' input, with the longest names in the place of those not known yet."""
    return len(TOKEN.sub(_LONGEST_NAME, _input(workers)))

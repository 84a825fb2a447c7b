"""A function that sends dead letters back to their queues, at a bounded rate."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

import fargate_workers_redrive
from fargate_workers.alarms import Alerts, add_alarm, describe, undelivered_queue
from fargate_workers.alarms.catalogue import dead_letter_alarms, redrive_alarms, redrive_command
from fargate_workers.cloudformation import REDRIVE_ROLE, allow, arn, environment_of, longest, qualify, stack_of
from fargate_workers.cluster import PythonFunction, WorkerCluster, python_function
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.sqs import WorkerQueue
from fargate_workers.workers import QueueFunction, QueueWorker
from fargate_workers_redrive.request import MAX_MESSAGES_PER_SECOND

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

MESSAGES_PER_SECOND = 5
# Lambda takes 4,096 bytes of variables, names included: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ROOM_FOR_QUEUES = 3_900


class DeadLetterRedrive(Construct):
    """A function that redrives the dead letters of workers' queues at a bounded rate, one redrive per queue at a time.

        DeadLetterRedrive(self, "Redrive", cluster=cluster, workers=[orders, invoices])

    Call it with what to do; a queue goes by its worker's name:

        {"action": "start", "queue": "Orders", "messages_per_second": 2}
        {"action": "status", "queue": "Orders"}
        {"action": "cancel", "queue": "Orders"}
        {"action": "start", "queue": "Orders", "where": "reason == 'schema*' and age < 2h"}

    Its name is an output of its stack, and in the text of the alarm for dead letters of each worker in the same stack.
    With a filter, that of `fargate-workers dead-letters`, the function itself sends the chosen letters back, each
    before it is deleted and those of a FIFO group in order, for as long as it may run: answered with INCOMPLETE, call
    it again.
    A lone queue needs no name. The answer says how far the redrive is, or in one sentence why it was refused. The
    function may touch the workers' queues and no others; it runs in the cluster's network and remembers nothing. Beyond
    about twenty workers there are further functions: `functions` has each worker's by its name.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster in whose network the function runs.
        workers: The workers, and functions on queues, whose dead letters it redrives.
        messages_per_second: The rate when a call names none, 1 to 500. Defaults to 5, a trickle beside what a worker
            handles.
        alerts: The alerts that receive the function's alarms. Defaults to the cluster's.

    Attributes:
        function: The function, or the first of several.
        function_name: Its name.
        functions: The function of each worker, by the worker's name.
        alarms: The alarms, by the id of their definition; those of the second function end in 2, and so on.

    Raises:
        ConfigurationError: There are no workers, two have one name, or the rate is outside SQS's 1 to 500.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        workers: Sequence[QueueWorker | QueueFunction],
        messages_per_second: int = MESSAGES_PER_SECOND,
        alerts: Alerts | None = None,
    ) -> None:
        super().__init__(scope, id)
        queues = {worker.name: worker.worker_queue for worker in workers}
        if not queues:
            raise ConfigurationError(f"DeadLetterRedrive {id!r} has no workers; give it at least one.")
        if len(queues) < len(workers):
            raise ConfigurationError(f"DeadLetterRedrive {id!r} has two workers of one name; make two redrives.")
        if not 1 <= messages_per_second <= MAX_MESSAGES_PER_SECOND:
            raise ConfigurationError(
                f"DeadLetterRedrive {id!r} has messages_per_second={messages_per_second}; "
                f"SQS moves 1 to {MAX_MESSAGES_PER_SECOND}."
            )
        alerts = cluster.alerts if alerts is None else alerts
        undelivered = undelivered_queue(self, alerts)
        self.functions: dict[str, PythonFunction] = {}
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {}
        for number, some in enumerate(_that_fit(queues), start=1):
            suffix = "" if number == 1 else str(number)
            part = self if number == 1 else Construct(self, f"Part{number}")
            function = _function(
                part,
                some,
                cluster=cluster,
                name=f"{qualify(scope, id)}{suffix}",
                messages_per_second=messages_per_second,
                undelivered_arn=undelivered.arn,
            )
            self.functions |= dict.fromkeys(some, function)
            CfnOutput(
                part, "FunctionName", value=function.name, description="Redrives dead letters: start, status, cancel."
            )
            for alarm in redrive_alarms(function_name=function.name, log_group_name=function.log_group_name):
                self.alarms[alarm.id + suffix] = add_alarm(
                    part,
                    alarm,
                    subject=f"{qualify(scope, id)}{suffix}",
                    alerts=alerts,
                    environment=cluster.environment,
                )
        for worker in workers:
            _name_in_alarm(self, worker, self.functions[worker.name].name)
        first = next(iter(self.functions.values()))
        self.function: lambda_.CfnFunction = first.resource
        self.function_name: str = first.name


def _function(
    scope: Construct,
    queues: Mapping[str, WorkerQueue],
    *,
    cluster: WorkerCluster,
    name: str,
    messages_per_second: int,
    undelivered_arn: str,
) -> PythonFunction:
    keys = {key for queue in queues.values() for key in queue.key_arns}
    return python_function(
        scope,
        fargate_workers_redrive,
        cluster=cluster,
        name=name,
        role_tag=REDRIVE_ROLE,
        description="Redrives dead letters at a bounded rate",
        environment={
            "QUEUES": _written(queues),
            "QUEUE_ARN_PREFIX": arn("sqs", ""),
            "MESSAGES_PER_SECOND": str(messages_per_second),
        },
        statements=[
            allow(
                [
                    "sqs:StartMessageMoveTask",
                    "sqs:ListMessageMoveTasks",
                    "sqs:CancelMessageMoveTask",
                    # The move task reads and deletes in the caller's name.
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    # So that letters which a filter leaves are seen again at once.
                    "sqs:ChangeMessageVisibility",
                    "sqs:GetQueueAttributes",
                ],
                *(queue.dead_letter_queue_arn for queue in queues.values()),
            ),
            allow(["sqs:SendMessage"], *(queue.queue_arn for queue in queues.values())),
            *([allow(["kms:Decrypt", "kms:GenerateDataKey"], *sorted(keys))] if keys else []),
        ],
        dead_letter_queue_arn=undelivered_arn,
    )


def _name_in_alarm(scope: Construct, worker: QueueWorker | QueueFunction, function_name: str) -> None:
    """Let the alarm for the worker's dead letters say how to redrive them, unless its stack comes before this one."""
    if stack_of(worker) is not stack_of(scope):
        return
    letters, _ = dead_letter_alarms(dead_letter_queue_name=worker.worker_queue.dead_letter_queue_name)
    command = redrive_command(function_name=function_name, queue=worker.name)
    worker.alarms[letters.id].alarm_description = describe(
        replace(letters, then=f"Once the cause is gone: {command}"),
        subject=worker.qualified_name if isinstance(worker, QueueFunction) else worker.task.qualified_name,
        environment=environment_of(worker) if isinstance(worker, QueueFunction) else worker.cluster.environment,
        alerts=worker.alerts,
    )


def _that_fit(queues: Mapping[str, WorkerQueue]) -> list[dict[str, WorkerQueue]]:
    """The queues in as few parts as fit into a function's variables, whatever names CloudFormation gives them."""
    parts: list[dict[str, WorkerQueue]] = [{}]
    for name, queue in queues.items():
        if longest(_written({**parts[-1], name: queue})) > ROOM_FOR_QUEUES:
            parts.append({})
        parts[-1][name] = queue
    return parts


def _written(queues: Mapping[str, WorkerQueue]) -> str:
    """Worker -> [queue, dead-letter queue]: the name of a queue made here, the ARN of any other."""
    return json.dumps(
        {
            name: [
                queue.queue_name if isinstance(queue.queue, sqs.Queue) else queue.queue_arn,
                queue.dead_letter_queue_name
                if isinstance(queue.dead_letter_queue, sqs.Queue)
                else queue.dead_letter_queue_arn,
            ]
            for name, queue in queues.items()
        },
        separators=(",", ":"),
    )

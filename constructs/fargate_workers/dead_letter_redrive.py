"""Dead letters back to where they came from, slowly enough that what killed them is not overrun again."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from constructs import Construct

from fargate_workers._function import python_function
from fargate_workers._service_queue import undelivered_queue
from fargate_workers._service_role import allow
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import redrive_alarms

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts
    from fargate_workers.queue_worker import QueueWorker
    from fargate_workers.worker_cluster import WorkerCluster

MESSAGES_PER_SECOND = 5
MAX_MESSAGES_PER_SECOND = 500


class DeadLetterRedrive(Construct):
    """A function that redrives the dead letters of the given queues at a bounded rate, one redrive per queue at a time.

        DeadLetterRedrive(self, "Redrive", cluster=cluster, workers=[orders, invoices])

    Call it with what to do; a queue goes by its worker's name:

        {"action": "start", "queue": "Orders", "messages_per_second": 2}
        {"action": "status", "queue": "Orders"}
        {"action": "cancel", "queue": "Orders"}

    A lone queue needs no name. The answer says how far the redrive is, or in one sentence why it was refused. The
    function may touch the workers' queues and no others; it runs in the cluster's network and remembers nothing.

    workers: Whose dead letters it redrives.
    messages_per_second: The rate when a call names none. Default: 5, a trickle beside what a worker handles.
    alerts: Who is told when the function fails. Default: the cluster's.

    Raises ValueError without workers, when two have one name, or for a rate outside SQS's 1 to 500.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: "WorkerCluster",
        workers: "Sequence[QueueWorker]",
        messages_per_second: int = MESSAGES_PER_SECOND,
        alerts: "Alerts | None" = None,
    ) -> None:
        super().__init__(scope, id)
        queues = {worker.task.name: worker.worker_queue for worker in workers}
        if not queues:
            raise ValueError(f"DeadLetterRedrive {id!r} has no workers; give it at least one.")
        if len(queues) < len(workers):
            raise ValueError(f"DeadLetterRedrive {id!r} cannot tell two workers of one name apart; make two of it.")
        if not 1 <= messages_per_second <= MAX_MESSAGES_PER_SECOND:
            raise ValueError(
                f"DeadLetterRedrive {id!r} has messages_per_second={messages_per_second}; "
                f"SQS moves 1 to {MAX_MESSAGES_PER_SECOND}."
            )
        alerts = cluster.alerts if alerts is None else alerts
        dead_letter_queue_arns = [queue.dead_letter_queue_arn for queue in queues.values()]
        keys = {key.key_arn for queue in queues.values() if (key := queue.encryption_key) is not None}
        function = python_function(
            self,
            "dead_letter_redrive",
            cluster=cluster,
            description="Redrives dead letters at a bounded rate",
            environment={
                "QUEUES": json.dumps(
                    {
                        name: {"arn": queue.queue_arn, "dead_letter_queue_arn": queue.dead_letter_queue_arn}
                        for name, queue in queues.items()
                    }
                ),
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
                        "sqs:GetQueueAttributes",
                    ],
                    *dead_letter_queue_arns,
                ),
                allow(["sqs:SendMessage"], *(queue.queue_arn for queue in queues.values())),
                *([allow(["kms:Decrypt", "kms:GenerateDataKey"], *sorted(keys))] if keys else []),
            ],
            dead_letter_queue_arn=undelivered_queue(self, alerts).arn,
        )
        self.function = function.resource
        self.function_name = function.name
        self.alarms = {
            alarm.id: add_alarm(self, alarm, subject=id, alerts=alerts)
            for alarm in redrive_alarms(function_name=function.name, log_group_name=function.log_group_name)
        }

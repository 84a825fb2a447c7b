"""Alarms of an outbox, as the relay inside a worker sees it.

A relay is silent until its outbox is in use, and while no task runs: silence raises nothing.
"""

from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers.alarms.catalogue.worker_alarms import worker_metric
from fargate_workers.alarms.command_lines import logs_command

# Seconds. A relay that has nothing to do looks every fifteen, and waits as long at most before another try.
_LATE = 300


def outbox_alarms(*, qualified_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarms of a worker that relays an outbox.

    Args:
        qualified_name: The worker's qualified name.
        log_group_name: The name of the worker's log group.
    """
    operation = "tail {environment} {worker} --since 1h --text outbox"
    return [
        AlarmDefinition(
            id="OutboxTooOld",
            symptom=f"a message in the outbox is due for more than {_LATE} s and was not sent.",
            meaning="Its transaction is committed, and its queue does not take it; in a FIFO queue it holds up its "
            "group. It stays in the database and is tried again.",
            operation=operation,
            first_command=logs_command(log_group_name),
            metrics={"oldest": worker_metric(qualified_name, "OutboxOldest", statistic="Maximum")},
            comparison=">",
            threshold=_LATE,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        AlarmDefinition(
            id="OutboxParked",
            symptom="messages in the outbox are parked: SQS refuses them.",
            meaning="Each would be refused again, so that none is tried again: nobody receives it until somebody "
            "corrects its row.",
            operation=operation,
            first_command=logs_command(log_group_name),
            metrics={"parked": worker_metric(qualified_name, "OutboxParked", statistic="Maximum")},
        ),
    ]

"""Alarms of a worker: its handler, its tasks and its scaling."""

import math
from collections.abc import Mapping

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric, MissingData
from fargate_workers.alarms.command_lines import logs_command
from fargate_workers_planner.metric_names import PAUSE_OVERDUE, PLANNER_NAMESPACE, RUNTIME_NAMESPACE

_HOUR = 3_600
# A pause that nobody has given an end, or that nobody sees from here, is too long after a day.
_HOURS = 24
#: The part of an expression over `ended_metrics` that holds while no message ends.
NONE_ENDED = "FILL(handled, 0) + FILL(duplicate, 0) + FILL(poisoned, 0) < 1"


def worker_alarms(
    *,
    backlog: Metric | None,
    look: str,
    cluster_name: str,
    service_name: str,
    qualified_name: str,
    log_group_name: str,
    min_tasks: int,
    max_tasks: int,
    planned: bool = False,
    broker: str = "SQS",
) -> list[AlarmDefinition]:
    """The alarms of the service that drains a source of work.

    Args:
        backlog: The metric of the messages that wait. None leaves out the alarms that compare with it.
        look: The command that shows the state of the source.
        cluster_name: The name of the ECS cluster.
        service_name: The name of the ECS service.
        qualified_name: The worker's qualified name.
        log_group_name: The name of the worker's log group.
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.
        planned: Whether a function plans its tasks. Defaults to False.
        broker: The name of the service that holds the messages. Defaults to "SQS".
    """
    running = _running_tasks(cluster_name, service_name)
    alarms: list[AlarmDefinition] = []
    if min_tasks >= 1 or backlog is not None:
        alarms.append(_no_task_running(backlog, running, cluster_name, service_name, min_tasks))
    alarms.append(outcomes_given_up_alarm(qualified_name=qualified_name, log_group_name=log_group_name, broker=broker))
    if backlog is not None and max_tasks > min_tasks:
        alarms.append(_at_max_capacity(backlog, running, cluster_name, service_name, max_tasks))
    if backlog is not None and min_tasks >= 1 and not backlog.intermittent:
        alarms.append(_scaling_metric_missing(backlog, look, planned=planned))
    if planned:
        alarms.append(_paused_too_long(cluster_name, service_name, qualified_name))
    elif backlog is not None:
        alarms.append(_asleep_too_long(backlog, running, cluster_name, service_name))
    return alarms


def outcomes_given_up_alarm(*, qualified_name: str, log_group_name: str, broker: str = "SQS") -> AlarmDefinition:
    """The alarm for endings that did not reach the broker in time."""
    return AlarmDefinition(
        id="OutcomesGivenUp",
        symptom=f"{broker} could not be told what became of messages, as long as it was tried.",
        meaning="They come back though they were handled, or are buried twice: claims alone keep them from being "
        "worked on again.",
        operation="tail {environment} {worker} --level warning",
        first_command=logs_command(log_group_name),
        metrics={"given_up": worker_metric(qualified_name, "OutcomesGivenUp")},
    )


def handler_failing_alarm(*, qualified_name: str, log_group_name: str) -> AlarmDefinition:
    """The one alarm of a worker that knows nothing of its service, so that a deployment of the service can heed it.

    A share and not a count: ECS watches no deployment that begins in alarm, and now and then one message of many fails.
    """
    return AlarmDefinition(
        id="HandlerFailing",
        symptom="5 % of the attempts or more failed, in 3 of the last 5 minutes.",
        meaning="The handler raises: a retry cures one failure, a series of them ends in the dead-letter queue.",
        operation="tail {environment} {worker} --level warning",
        first_command=logs_command(log_group_name),
        metrics={
            "failed": worker_metric(qualified_name, "MessagesFailed"),
            "handled": worker_metric(qualified_name, "MessagesHandled"),
        },
        expression="IF(failed >= 1 AND failed >= 0.05 * (failed + FILL(handled, 0)), 1, 0)",
        evaluation_periods=5,
        datapoints_to_alarm=3,
        rolls_back=True,
    )


def _no_task_running(
    backlog: Metric | None, running: Metric, cluster_name: str, service_name: str, min_tasks: int
) -> AlarmDefinition:
    """Silence is the failure here: a task that does not run reports nothing."""
    if min_tasks >= 1 or backlog is None:
        return AlarmDefinition(
            id="NoTaskRunning",
            symptom="no task has run for 5 minutes.",
            meaning=f"At least {min_tasks} should run, work or not. Tasks cannot start, or they stop at once.",
            operation="status {environment} {worker}",
            first_command=_service(cluster_name, service_name),
            metrics={"running": running},
            comparison="<",
            evaluation_periods=5,
            missing_data="breaching",
        )
    return AlarmDefinition(
        id="NoTaskRunning",
        symptom="messages have waited 10 minutes with no task running.",
        meaning="The service should have woken up. Scaling is broken, or tasks cannot start.",
        operation="status {environment} {worker}",
        first_command=_service(cluster_name, service_name),
        metrics={"visible": backlog, "running": running},
        # SQS goes silent only for a queue nobody touched in six hours; that silence means there is no work.
        expression="IF(visible > 0, FILL(running, 0) < 1, 0)",
        evaluation_periods=10,
        missing_data=_silence(backlog),
    )


def _at_max_capacity(
    backlog: Metric, running: Metric, cluster_name: str, service_name: str, max_tasks: int
) -> AlarmDefinition:
    return AlarmDefinition(
        id="AtMaxCapacity",
        symptom=f"all {max_tasks} tasks have run for 15 minutes and messages still wait.",
        meaning="Scaling can do no more. If the backlog grows, raise max_tasks or make the handler faster.",
        operation="status {environment} {worker}",
        first_command=_service(cluster_name, service_name),
        metrics={"visible": backlog, "running": running},
        expression=f"IF(running >= {max_tasks} AND visible > 0, 1, 0)",
        evaluation_periods=15,
        missing_data=_silence(backlog),
    )


def _paused_too_long(cluster_name: str, service_name: str, qualified_name: str) -> AlarmDefinition:
    """The planner looks at the service every minute anyway, and sees the tags that a pause leaves there."""
    return AlarmDefinition(
        id="PausedTooLong",
        symptom=f"it is paused for longer than was meant, or for {_HOURS} hours where no end was given.",
        meaning="Its messages wait, and are deleted when the retention ends. A pause never ends by itself.",
        operation="status {environment} {worker}",
        first_command=_tags(cluster_name, service_name),
        metrics={
            "overdue": Metric(namespace=PLANNER_NAMESPACE, name=PAUSE_OVERDUE, dimensions={"Worker": qualified_name})
        },
        comparison=">",
        threshold=0,
    )


def _asleep_too_long(backlog: Metric, running: Metric, cluster_name: str, service_name: str) -> AlarmDefinition:
    """Without a planner nobody sees a pause, but what it comes to: work waits, and no task runs."""
    return AlarmDefinition(
        id="PausedTooLong",
        symptom=f"messages have waited {_HOURS} hours and no task ran: it is paused, or cannot run.",
        meaning="The messages are deleted when the retention ends. A pause never ends by itself.",
        operation="status {environment} {worker}",
        first_command=_tags(cluster_name, service_name),
        metrics={"visible": backlog, "running": running},
        expression="IF(visible > 0, FILL(running, 0) < 1, 0)",
        period=_HOUR,
        evaluation_periods=_HOURS,
        missing_data=_silence(backlog),
    )


def _silence(backlog: Metric) -> MissingData:
    """What the silence of a backlog means to an alarm: nothing, where it is silent at times."""
    return "ignore" if backlog.intermittent else "notBreaching"


def _scaling_metric_missing(backlog: Metric, look: str, *, planned: bool) -> AlarmDefinition:
    # The planner asks the queue itself for its depth, but only CloudWatch for what arrives.
    consequence = "tasks are added for what waits, and none is removed" if planned else "the service no longer scales"
    return AlarmDefinition(
        id="ScalingMetricMissing",
        symptom="the queue has reported no depth for 15 minutes.",
        meaning=f"A queue that tasks poll reports every minute. Without it {consequence}.",
        operation="status {environment} {worker}",
        first_command=look,
        metrics={"visible": backlog},
        comparison="<",
        threshold=0,  # never: only silence raises this one
        evaluation_periods=15,
        missing_data="breaching",
    )


def _running_tasks(cluster_name: str, service_name: str) -> Metric:
    """Each running task reports its CPU once a minute, free of charge, so the samples count the tasks."""
    return Metric(
        namespace="AWS/ECS",
        name="CPUUtilization",
        dimensions={"ClusterName": cluster_name, "ServiceName": service_name},
        statistic="SampleCount",
    )


def worker_metric(qualified_name: str, metric: str, *, statistic: str = "Sum") -> Metric:
    """A metric that a worker's tasks report."""
    return Metric(namespace=RUNTIME_NAMESPACE, name=metric, dimensions={"Worker": qualified_name}, statistic=statistic)


def ended_metrics(qualified_name: str) -> Mapping[str, Metric]:
    """How a worker's messages end, by the names that NONE_ENDED has for them."""
    return {
        "handled": worker_metric(qualified_name, "MessagesHandled"),
        "duplicate": worker_metric(qualified_name, "MessagesDuplicate"),
        "poisoned": worker_metric(qualified_name, "MessagesPoisoned"),
    }


def stuck_minutes(max_processing_seconds: int) -> int:
    """Minutes without an end after which a worker is stuck: a handler may take all its time over one message."""
    return max(15, math.ceil(max_processing_seconds / 60))


def _service(cluster_name: str, service_name: str) -> str:
    return (
        f"aws ecs describe-services --cluster {cluster_name} --services {service_name} "
        "--query 'services[0].[desiredCount,runningCount,pendingCount,events[:5]]'"
    )


def _tags(cluster_name: str, service_name: str) -> str:
    return (
        f"aws ecs describe-services --include TAGS --cluster {cluster_name} --services {service_name} "
        "--query 'services[0].[desiredCount,tags]'"
    )

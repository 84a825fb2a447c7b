"""Alarms of a function that drains a queue: its invocations and their limit."""

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.catalogue.function_alarms import function_metric
from fargate_workers.alarms.catalogue.worker_alarms import outcomes_given_up_alarm
from fargate_workers.alarms.command_lines import logs_command


def queue_function_alarms(
    *,
    backlog: Metric | None,
    function_name: str,
    qualified_name: str,
    log_group_name: str,
    max_concurrency: int,
) -> list[AlarmDefinition]:
    """The alarms of a function that drains a queue.

    Args:
        backlog: The metric of the messages that wait. None leaves out the alarms that compare with it.
        function_name: The name of the function.
        qualified_name: The function's qualified name.
        log_group_name: The name of its log group.
        max_concurrency: Invocations at once at most.
    """
    mapping = f"aws lambda list-event-source-mappings --function-name {function_name}"
    running = function_metric(function_name, "ConcurrentExecutions", statistic="Maximum")
    alarms = [
        AlarmDefinition(
            id="FunctionFailing",
            symptom="invocations failed as a whole in 3 of the last 5 minutes.",
            meaning="Their batches come back when the visibility timeout ends, handled messages included: claims alone "
            "keep those from being worked on again. Lambda invokes less often meanwhile.",
            operation="status {environment} {worker}",
            first_command=logs_command(log_group_name),
            metrics={"errors": function_metric(function_name, "Errors")},
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        AlarmDefinition(
            id="FunctionThrottled",
            symptom="Lambda refused invocations in 3 of the last 5 minutes.",
            meaning="The account or the function may run no more at once. Lambda goes on asking until the visibility "
            "timeout of the messages ends; each refused receive counts.",
            operation="status {environment} {worker}",
            first_command="aws lambda get-account-settings --query AccountLimit",
            metrics={"throttles": function_metric(function_name, "Throttles")},
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        outcomes_given_up_alarm(qualified_name=qualified_name, log_group_name=log_group_name),
    ]
    if backlog is None:
        return alarms
    return [
        *alarms,
        AlarmDefinition(
            id="AtMaxConcurrency",
            symptom=f"all {max_concurrency} invocations have been at work for 15 minutes and messages still wait.",
            meaning="Lambda may add no more. If the backlog grows, raise max_concurrency or make the handler faster.",
            operation="status {environment} {worker}",
            first_command=mapping,
            metrics={"visible": backlog, "running": running},
            expression=f"IF(running >= {max_concurrency} AND visible > 0, 1, 0)",
            evaluation_periods=15,
        ),
        AlarmDefinition(
            id="NotInvoked",
            symptom="messages have waited 10 minutes and the function was not invoked.",
            meaning="The event source mapping is switched off, or may not receive or invoke.",
            operation="status {environment} {worker}",
            first_command=mapping,
            metrics={"visible": backlog, "invocations": function_metric(function_name, "Invocations")},
            expression="IF(visible > 0, FILL(invocations, 0) < 1, 0)",
            evaluation_periods=10,
        ),
    ]

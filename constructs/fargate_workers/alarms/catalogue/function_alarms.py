"""Alarms of the functions: those that run every minute, and the redrive."""

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.command_lines import logs_command


def scaling_planner_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarms of the function that plans tasks every minute: one for silence, one for errors.

    Args:
        function_name: The name of the function.
        log_group_name: The name of its log group.
    """
    return [
        _silent(
            "PlannerSilent",
            function_name,
            symptom="no plan was made for 5 minutes.",
            meaning="The workers keep the tasks they have, whatever arrives: nothing adds or removes any.",
        ),
        _failing(
            "PlannerFailing",
            function_name,
            log_group_name,
            symptom="planning failed in 3 of the last 5 minutes.",
            meaning="At least one worker keeps the tasks it has, whatever arrives; the error names it. "
            "The others are planned for.",
        ),
    ]


def observer_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarms of the function that observes streams and lists every minute: one for silence, one for errors.

    Args:
        function_name: The name of the function.
        log_group_name: The name of its log group.
    """
    return [
        _silent(
            "ObserverSilent",
            function_name,
            symptom="no stream or list was looked at for 5 minutes.",
            meaning="Nothing is known of what waits in Redis: workers keep the tasks they have, and other alarms of "
            "these sources say nothing.",
        ),
        _failing(
            "ObserverFailing",
            function_name,
            log_group_name,
            symptom="streams or lists could not be looked at in 3 of the last 5 minutes.",
            meaning="The cache does not answer, or refuses the function. What waits is not known.",
        ),
    ]


def redrive_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarm of the function that redrives dead letters.

    Args:
        function_name: The name of the function.
        log_group_name: The name of its log group.
    """
    return [
        AlarmDefinition(
            id="RedriveFailed",
            symptom="the redrive function failed.",
            meaning="The dead letters are where they were, or part of them moved; nothing is lost.",
            operation="dead-letters list {environment}",
            first_command=logs_command(log_group_name),
            metrics={"errors": function_metric(function_name, "Errors")},
        )
    ]


def function_metric(function_name: str, metric: str, *, statistic: str = "Sum") -> Metric:
    """A metric that Lambda reports of a function.

    Args:
        function_name: The name of the function.
        metric: The name of the metric.
        statistic: The statistic of each minute. Defaults to "Sum".
    """
    dimensions = {"FunctionName": function_name}
    return Metric(namespace="AWS/Lambda", name=metric, dimensions=dimensions, statistic=statistic)


def _silent(id: str, function_name: str, *, symptom: str, meaning: str) -> AlarmDefinition:
    """A function that should run every minute has not run for five."""
    return AlarmDefinition(
        id=id,
        symptom=symptom,
        meaning=meaning,
        operation="status {environment}",
        first_command=f"aws lambda get-function-configuration --function-name {function_name}",
        metrics={"runs": function_metric(function_name, "Invocations")},
        comparison="<",
        evaluation_periods=5,
        missing_data="breaching",
    )


def _failing(id: str, function_name: str, log_group_name: str, *, symptom: str, meaning: str) -> AlarmDefinition:
    """A function that runs every minute has failed in three of five."""
    return AlarmDefinition(
        id=id,
        symptom=symptom,
        meaning=meaning,
        operation="status {environment}",
        first_command=f"aws logs tail --since 15m {log_group_name}",
        metrics={"errors": function_metric(function_name, "Errors")},
        evaluation_periods=5,
        datapoints_to_alarm=3,
    )

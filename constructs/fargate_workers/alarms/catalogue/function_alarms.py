"""Alarms of the functions: the planner and the redrive."""

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.command_lines import logs_command


def scaling_planner_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarms of the function that plans tasks every minute: one for silence, one for errors."""
    function = {"FunctionName": function_name}
    return [
        AlarmDefinition(
            id="PlannerSilent",
            symptom="no plan was made for 5 minutes.",
            meaning="The workers keep the tasks they have, whatever arrives: nothing adds or removes any.",
            operation="status {environment}",
            first_command=f"aws lambda get-function-configuration --function-name {function_name}",
            metrics={
                "runs": Metric(namespace="AWS/Lambda", name="Invocations", dimensions=function, statistic="Sum"),
            },
            comparison="<",
            evaluation_periods=5,
            missing_data="breaching",
        ),
        AlarmDefinition(
            id="PlannerFailing",
            symptom="planning failed in 3 of the last 5 minutes.",
            meaning="At least one worker keeps the tasks it has, whatever arrives; the error names it. "
            "The others are planned for.",
            operation="status {environment}",
            first_command=f"aws logs tail --since 15m {log_group_name}",
            metrics={
                "errors": Metric(namespace="AWS/Lambda", name="Errors", dimensions=function, statistic="Sum"),
            },
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
    ]


def redrive_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarm of the function that redrives dead letters."""
    return [
        AlarmDefinition(
            id="RedriveFailed",
            symptom="the redrive function failed.",
            meaning="The dead letters are where they were, or part of them moved; nothing is lost.",
            operation="dead-letters list {environment}",
            first_command=logs_command(log_group_name),
            metrics={
                "errors": Metric(
                    namespace="AWS/Lambda", name="Errors", dimensions={"FunctionName": function_name}, statistic="Sum"
                )
            },
        )
    ]

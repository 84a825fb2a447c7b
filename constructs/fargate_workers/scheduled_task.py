"""A Fargate task at set times, and an alarm when a run fails or does not happen."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import jsii
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from fargate_workers import stopped_tasks
from fargate_workers._around_task import AroundTask
from fargate_workers._event_rule import event_rule
from fargate_workers._qualified_name import qualify
from fargate_workers._run_task import environment_override, run_task
from fargate_workers._service_queue import undelivered_queue
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import scheduled_task_alarms
from fargate_workers.alerts import Alerts
from fargate_workers.container_image import Architecture
from fargate_workers.deduplication_table import DeduplicationTable
from fargate_workers.schedule import Gaps, NotWorkedOutError, gaps
from fargate_workers.worker_cluster import WorkerCluster
from fargate_workers.worker_task import WorkerTask

RETRIES = 3


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class ScheduledTask(AroundTask, Construct):
    """A Fargate task that EventBridge Scheduler starts at set times.

        ScheduledTask(self, "Report", cluster=cluster, image=image, schedule="cron(0 6 * * ? *)")

    The container learns its run from SCHEDULE_NAME (the schedule's ARN), SCHEDULED_TIME and SCHEDULE_RUN_ID. A start
    that AWS refuses is tried 3 times more within an hour or half a period, whichever is shorter, so that no run begins
    when the next is due; then it goes to a dead-letter queue. With alerts there is an alarm for a run that ends with
    another exit code than 0 or never starts, and one for no success in a period and a half (6 hours more at most).

    schedule: "cron(...)" or "rate(...)", or a ScheduleExpression.
    timezone: Where the clock hangs. Default: "Etc/UTC". A ScheduleExpression's own time zone comes first.
    command, cpu, memory_mib, architecture, environment, secrets: As for every WorkerTask.
    spot: Whether to run on spare capacity, at a third of the price, which AWS may take back. Default: no.
    expected_every: The longest time between two runs. Default: worked out from `schedule`. Rarer than every 6 days and
        18 hours there is no missed-run alarm, because CloudWatch looks back a week.
    claims: The table by which a run makes sure that it is alone; a run that finds another at work ends at once.
        Default: runs may overlap.
    alerts: Who is told. Default: the cluster's.

    Raises ValueError for a schedule that cannot be read.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        schedule: str | scheduler.ScheduleExpression,
        timezone: str = "Etc/UTC",
        command: Sequence[str] | None = None,
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        spot: bool = False,
        expected_every: Duration | None = None,
        claims: DeduplicationTable | None = None,
        alerts: Alerts | None = None,
    ) -> None:
        super().__init__(scope, id)
        if not isinstance(schedule, str):
            zone = schedule.time_zone
            timezone = timezone if zone is None else zone.timezone_name
            schedule = schedule.expression_string
        period = _period(schedule, expected_every)
        self.task = WorkerTask(
            self,
            "Task",
            cluster=cluster,
            image=image,
            name=id,
            qualified_name=qualify(scope, id),
            command=command,
            cpu=cpu,
            memory_mib=memory_mib,
            architecture=architecture,
            environment=environment,
            secrets=secrets,
            uses=[] if claims is None else [claims.access],
        )
        alerts = cluster.alerts if alerts is None else alerts
        self.dead_letter_queue_arn = undelivered_queue(self, alerts).arn
        run = run_task(self, "scheduler", self.task, dead_letter_queue_arn=self.dead_letter_queue_arn, spot=spot)
        self.schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=schedule,
            schedule_expression_timezone=timezone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=cluster.cluster_arn,
                role_arn=run.role_arn,
                ecs_parameters=run.parameters,
                input=environment_override(
                    self.task,
                    {
                        "SCHEDULE_NAME": '"<aws.scheduler.schedule-arn>"',
                        "SCHEDULED_TIME": '"<aws.scheduler.scheduled-time>"',
                        "SCHEDULE_RUN_ID": '"<aws.scheduler.execution-id>"',
                    },
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letter_queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=_maximum_age(period.shortest)
                ),
            ),
        )
        self.alarms = {} if alerts is None else self._watch_runs(id, alerts, period.longest)

    def _watch_runs(self, id: str, alerts: Alerts, longest: timedelta) -> dict[str, cloudwatch.CfnAlarm]:
        """EventBridge counts what a rule sends on: with a rule per outcome, each outcome has a metric."""
        cluster_arn = self.task.cluster.cluster_arn
        group = f"family:{self.task.task_definition.family}"
        succeeded, failed = (
            event_rule(
                self,
                name,
                says=says,
                pattern=pattern,
                paths=stopped_tasks.TASK,
                target_arn=alerts.history.arn,
                dead_letter_queue_arn=alerts.undelivered.arn,
            ).ref
            for name, says, pattern in (
                ("SucceededRuns", "A scheduled run succeeded.", stopped_tasks.run_succeeded(cluster_arn, group)),
                ("FailedRuns", "A scheduled run failed.", stopped_tasks.run_failed(cluster_arn, group)),
            )
        )
        return {
            alarm.id: add_alarm(self, alarm, subject=id, alerts=alerts)
            for alarm in scheduled_task_alarms(
                succeeded_rule_name=succeeded, failed_rule_name=failed, worker_name=id, expected_every=longest
            )
        }


def _period(schedule: str, expected_every: Duration | None) -> Gaps:
    expected = None if expected_every is None else timedelta(seconds=expected_every.to_seconds())
    try:
        shortest, longest = gaps(schedule)
    except NotWorkedOutError:
        if expected is None:
            raise
        return Gaps(expected, expected)
    return Gaps(shortest, longest if expected is None else expected)


def _maximum_age(shortest: timedelta) -> int:
    """Seconds a start may be late: half a period, an hour at most; Scheduler takes no less than a minute."""
    return max(60, int(min(shortest / 2, timedelta(hours=1)).total_seconds()))

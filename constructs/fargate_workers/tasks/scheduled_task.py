"""A Fargate task at set times, with alarms for a run that fails and for one that does not happen."""

from datetime import timedelta
from typing import Unpack

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from fargate_workers.alarms import Alerts, add_alarm, undelivered_queue
from fargate_workers.alarms.catalogue import scheduled_task_alarms
from fargate_workers.cloudformation import check_time_zone, event_rule, stack_of
from fargate_workers.cluster import WorkerCluster, stopped_tasks
from fargate_workers.compliance import acknowledge_cfn_lint_in_outputs
from fargate_workers.stores import DeduplicationTable, RedisCache
from fargate_workers.tasks.run_task import NOW, environment_override, run_now, run_task
from fargate_workers.tasks.schedule import Gaps, NotWorkedOutError, gaps
from fargate_workers.tasks.task_construct import TaskConstruct
from fargate_workers.tasks.task_options import TaskOptions

RETRIES = 3
# A run that takes longer than its period meets the next.
MOST_AT_ONCE = 2


class ScheduledTask(TaskConstruct):
    """A Fargate task that EventBridge Scheduler starts at set times.

        ScheduledTask(self, "Report", cluster=cluster, image=image, schedule="cron(0 6 * * ? *)")

    The container reads its run from SCHEDULE_NAME (the schedule's ARN), SCHEDULED_TIME and SCHEDULE_RUN_ID. A start
    that AWS refuses is tried 3 times more within an hour or half a period, whichever is shorter, so that no run begins
    when the next is due; then it goes to a dead-letter queue. With alerts there is an alarm for a run that ends with
    another exit code than 0 or never starts, and one for no success in a period and a half (6 hours more at most).

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct, and the task's name in alarms and logs.
        cluster: The cluster that runs the task.
        image: The container image; see `worker_image`.
        schedule: "cron(...)", "rate(...)" or a ScheduleExpression.
        timezone: The IANA name of the time zone in which `schedule` is read. A ScheduleExpression's own comes first.
            Defaults to "Etc/UTC".
        spot: Whether to run on spare capacity, at a third of the price, which AWS may take back. Defaults to False.
        expected_every: The longest time between two runs. Beyond 6 days and 18 hours there is no missed-run alarm,
            because CloudWatch looks back a week. Defaults to what `schedule` says.
        claims: The store by which a run makes sure that it is alone, a DeduplicationTable or a RedisCache with
            eviction="noeviction"; a run that finds another at work ends at once. Defaults to none: runs may overlap.
        cache: A cache to connect to, with its usual number of connections for two runs at once. Defaults to none.
        alerts: The alerts that receive the alarms. Defaults to the cluster's.
        options: The task's own: command, size, architecture, variables and secrets; see `TaskOptions`.

    Attributes:
        task: The task.
        schedule: The schedule.
        dead_letter_queue_arn: The queue for starts that AWS refused.
        alarms: The alarms, by the id of their definition; none without alerts.

    Raises:
        ConfigurationError: The schedule cannot be read, the time zone does not exist, or claims and cache do not fit
            together.
        TypeError: There is no such option.
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
        spot: bool = False,
        expected_every: Duration | None = None,
        claims: DeduplicationTable | RedisCache | None = None,
        cache: RedisCache | None = None,
        alerts: Alerts | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        if not isinstance(schedule, str):
            zone = schedule.time_zone
            timezone = timezone if zone is None else zone.timezone_name
            schedule = schedule.expression_string
        check_time_zone(id, timezone)
        period = _period(schedule, expected_every)
        super().__init__(
            scope,
            id,
            cluster=cluster,
            image=image,
            claims=claims,
            cache=cache,
            alerts=alerts,
            max_tasks=MOST_AT_ONCE,
            options=options,
        )
        self.dead_letter_queue_arn: str = undelivered_queue(self, self.alerts).arn
        run = run_task(self, "scheduler", self.task, dead_letter_queue_arn=self.dead_letter_queue_arn, spot=spot)
        self.schedule: scheduler.CfnSchedule = scheduler.CfnSchedule(
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
        if self.alerts is not None:
            self.alarms.update(self._watch_runs(self.alerts, period.longest))

    def _run_now(self) -> str:
        """What runs the task at once, by the output of this stack that holds the whole command."""
        cluster = self.cluster
        command = run_now(
            cluster_name=cluster.cluster_name,
            family=self.task.task_definition.family,
            subnet_ids=cluster.subnet_ids,
            security_group_id=self.task.security_group.security_group_id,
            assign_public_ip=cluster.assign_public_ip,
            variables={"SCHEDULE_NAME": f'"{self.schedule.attr_arn}"', "SCHEDULED_TIME": NOW},
        )
        output = CfnOutput(self, "RunNow", value=command, description="Runs the task at once, by AWS CLI 2.")
        stack = stack_of(self)
        if stack_of(cluster) is not stack:
            reason = "The command to run a task names the cluster and subnets of another stack."
            acknowledge_cfn_lint_in_outputs(stack, {"W6001": reason})
        outputs = f"Stacks[0].Outputs[?OutputKey=='{output.logical_id}'].OutputValue"
        return (
            f'Run it now: eval "$(aws cloudformation describe-stacks --stack-name {stack.stack_name} '
            f'--query "{outputs}" --output text)"'
        )

    def _watch_runs(self, alerts: Alerts, longest: timedelta) -> dict[str, cloudwatch.CfnAlarm]:
        """EventBridge counts what a rule sends on: with a rule per outcome, each outcome has a metric."""
        cluster_arn = self.cluster.cluster_arn
        group = f"family:{self.task.task_definition.family}"
        succeeded, failed = (
            event_rule(
                self,
                name,
                label=label,
                pattern=pattern,
                paths=stopped_tasks.TASK,
                target_arn=alerts.history.arn,
                dead_letter_queue_arn=alerts.undelivered.arn,
            ).ref
            for name, label, pattern in (
                ("SucceededRuns", "A scheduled run succeeded.", stopped_tasks.run_succeeded(cluster_arn, group)),
                ("FailedRuns", "A scheduled run failed.", stopped_tasks.run_failed(cluster_arn, group)),
            )
        )
        return {
            alarm.id: add_alarm(
                self,
                alarm,
                subject=self.task.qualified_name,
                alerts=alerts,
                environment=self.cluster.environment,
            )
            for alarm in scheduled_task_alarms(
                succeeded_rule_name=succeeded,
                failed_rule_name=failed,
                log_group_name=self.task.log_group.log_group_name,
                expected_every=longest,
                run_now=self._run_now(),
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

"""The alarms we raise: what each watches, when it speaks, and what it says. Pure: values in, definitions out.

Numbers carry their reason. What to do about an alarm is in its runbook (`fargate_workers.runbooks`).
NumberOfMessagesSent is nowhere: it misses messages that a redrive policy moves into a dead-letter queue
(https://github.com/cdklabs/cdk-monitoring-constructs/issues/109).
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypedDict

from fargate_workers.alarm_definition import AlarmDefinition, Metric

RUNTIME_NAMESPACE = "FargateWorkers"


def queue_worker_alarms(
    *,
    queue_name: str,
    dead_letter_queue_name: str,
    cluster_name: str,
    service_name: str,
    worker_name: str,
    min_tasks: int,
    max_tasks: int,
    acceptable_age_seconds: int,
    max_processing_seconds: int = 900,
    planned: bool = False,
) -> list[AlarmDefinition]:
    """The alarms of a queue, its dead-letter queue and the service that drains it.

    planned: Whether a function plans its tasks. Default: no.
    """
    visible = _queue(queue_name, "ApproximateNumberOfMessagesVisible")
    running = _running_tasks(cluster_name, service_name)
    # A handler may take all its time over one message, so "nothing finished" counts only after that.
    stuck_minutes = max(15, math.ceil(max_processing_seconds / 60))
    alarms = [
        *dead_letter_alarms(dead_letter_queue_name=dead_letter_queue_name),
        AlarmDefinition(
            id="OldestMessageTooOld",
            symptom=f"the oldest message has waited longer than {acceptable_age_seconds} s.",
            meaning="Work arrives faster than it is done, or a message keeps failing at the head of the queue. "
            "Messages received three times or more no longer count here.",
            first_command=_queue_attributes(queue_name),
            metrics={"age": _queue(queue_name, "ApproximateAgeOfOldestMessage")},
            comparison=">",
            threshold=acceptable_age_seconds,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        AlarmDefinition(
            id="QueueStuck",
            symptom=f"messages wait, and none was finished in {stuck_minutes} minutes.",
            meaning="Tasks run without making progress, or no task runs. New messages wait behind the fault.",
            first_command=_logs(worker_name),
            metrics={
                "visible": _queue(queue_name, "ApproximateNumberOfMessagesVisible", statistic="Minimum"),
                "deleted": _queue(queue_name, "NumberOfMessagesDeleted", statistic="Sum"),
            },
            expression="IF(visible > 0, FILL(deleted, 0) < 1, 0)",
            evaluation_periods=stuck_minutes,
        ),
        _no_task_running(visible, running, cluster_name, service_name, min_tasks),
    ]
    if max_tasks > min_tasks:
        alarms.append(_at_max_capacity(visible, running, cluster_name, service_name, max_tasks))
    if min_tasks >= 1:
        alarms.append(_scaling_metric_missing(visible, queue_name, planned=planned))
    return alarms


def handler_failing_alarm(*, worker_name: str, qualified_name: str) -> AlarmDefinition:
    """The one alarm of a worker that knows nothing of its service, so that a deployment of the service can heed it."""
    return AlarmDefinition(
        id="HandlerFailing",
        symptom="messages failed in 3 of the last 5 minutes.",
        meaning="The handler raises: a retry cures one failure, a series of them ends in the dead-letter queue.",
        first_command=_logs(worker_name),
        metrics={"failed": _worker(qualified_name, "MessagesFailed")},
        evaluation_periods=5,
        datapoints_to_alarm=3,
    )


def dead_letter_alarms(*, dead_letter_queue_name: str) -> list[AlarmDefinition]:
    """One alarm for the first dead letter, one for those which join it: the first stays raised and would hide them."""
    visible = _queue(dead_letter_queue_name, "ApproximateNumberOfMessagesVisible")
    return [
        AlarmDefinition(
            id="DeadLetters",
            symptom="there are dead letters.",
            meaning="Messages were given up, by the handler as poison or by the queue after too many tries. "
            "They wait here until someone redrives or deletes them, and expire after the queue's retention.",
            first_command=_queue_attributes(dead_letter_queue_name),
            metrics={"visible": visible},
            comparison=">",
            threshold=0,
        ),
        AlarmDefinition(
            id="DeadLettersRising",
            symptom="dead letters are being added to those already there.",
            meaning="Whatever killed the first message is still at work, or something new is.",
            first_command=_queue_attributes(dead_letter_queue_name),
            metrics={"visible": visible},
            expression="IF(visible - DIFF(visible) > 0, DIFF(visible), 0)",
            comparison=">",
            threshold=0,
        ),
    ]


def scheduled_task_alarms(
    *,
    succeeded_rule_name: str,
    failed_rule_name: str,
    worker_name: str,
    expected_every: timedelta,
) -> list[AlarmDefinition]:
    """The alarms of a schedule. CloudWatch looks back a week at most: a rarer schedule gets no missed-run alarm."""
    failed = AlarmDefinition(
        id="RunFailed",
        symptom="a run failed.",
        meaning="The task ended with an exit code other than 0, or was never started. "
        "The next run comes as planned; what this one did not do stays undone.",
        first_command=_logs(worker_name),
        metrics={"failed": _rule(failed_rule_name, "Invocations")},
    )
    missed = _run_missed(succeeded_rule_name, worker_name, expected_every)
    return [failed] if missed is None else [failed, missed]


def event_target_alarms(*, rule_name: str, dead_letter_queue_name: str | None = None) -> list[AlarmDefinition]:
    """The alarms of a rule: what could not be delivered is told, never dropped in silence.

    `dead_letter_queue_name` is left out when that queue has its alarm already.
    """
    alarms = [
        AlarmDefinition(
            id="InvocationsFailed",
            symptom="EventBridge could not invoke the target.",
            meaning="The target refused for good: a missing permission, a deleted target or a full quota. "
            "The events are in the target's dead-letter queue, unless even that refused them.",
            first_command=f"aws events list-targets-by-rule --rule {rule_name}",
            metrics={
                "failed": _rule(rule_name, "FailedInvocations"),
                "kept": _rule(rule_name, "InvocationsSentToDlq"),
                "lost": _rule(rule_name, "InvocationsFailedToBeSentToDlq"),
            },
            expression="MAX([failed, kept, lost])",
        )
    ]
    if dead_letter_queue_name is not None:
        alarms.append(undelivered_events_alarm(dead_letter_queue_name=dead_letter_queue_name))
    return alarms


def undelivered_events_alarm(*, dead_letter_queue_name: str) -> AlarmDefinition:
    """What reached nobody after every retry: an event its target, an alert its reader."""
    return AlarmDefinition(
        id="UndeliveredEvents",
        symptom="events or alerts that could not be delivered wait in the dead-letter queue.",
        meaning="Each is work nobody has begun, or an alert nobody has read. "
        "The message attributes RULE_ARN or SCHEDULE_ARN, TARGET_ARN and ERROR_MESSAGE say which, and why.",
        first_command="aws sqs receive-message --message-attribute-names All --visibility-timeout 0 "
        f"--queue-url {_queue_url(dead_letter_queue_name)}",
        metrics={"visible": _queue(dead_letter_queue_name, "ApproximateNumberOfMessagesVisible")},
        comparison=">",
        threshold=0,
    )


def redis_alarms(
    *, cache_cluster_ids: Sequence[str], vcpus: int, connection_budget: int, evicts_by_design: bool = False
) -> list[AlarmDefinition]:
    """The alarms of a cache, each over the worst of its nodes.

    `connection_budget` is what one node can bear; the alarm speaks at 80 % of it. A cache whose policy is to evict
    (`allkeys-*`) sets `evicts_by_design`. Replication lag is watched when there is a replica.
    """
    alarms = [
        _redis_cpu(cache_cluster_ids, vcpus),
        AlarmDefinition(
            id="RedisMemoryHigh",
            symptom="the cache uses 80 % of its memory.",
            meaning="At 100 % it refuses writes or evicts keys, whichever its policy says.",
            first_command=_cache_clusters(cache_cluster_ids),
            **_worst_of(cache_cluster_ids, "DatabaseMemoryUsagePercentage"),
            threshold=80,
            evaluation_periods=5,
        ),
        AlarmDefinition(
            id="RedisConnectionsHigh",
            symptom=f"80 % of the {connection_budget} connections are in use.",
            meaning="When they run out, tasks cannot connect: more tasks run than planned, or a pool leaks.",
            first_command=_cache_clusters(cache_cluster_ids),
            **_worst_of(cache_cluster_ids, "CurrConnections"),
            threshold=math.floor(connection_budget * 0.8),
            evaluation_periods=3,
        ),
    ]
    if not evicts_by_design:
        alarms.append(
            AlarmDefinition(
                id="RedisEvictions",
                symptom="keys were evicted.",
                meaning="The cache dropped data that was still wanted, because its memory is full.",
                first_command=_cache_clusters(cache_cluster_ids),
                **_worst_of(cache_cluster_ids, "Evictions", statistic="Sum"),
                comparison=">",
                threshold=0,
            )
        )
    if len(cache_cluster_ids) > 1:
        alarms.append(
            AlarmDefinition(
                id="RedisReplicationLag",
                symptom="a replica is 10 s or more behind.",
                meaning="Reads from it are stale, and a failover now would lose those seconds of writes.",
                first_command=_cache_clusters(cache_cluster_ids),
                **_worst_of(cache_cluster_ids, "ReplicationLag"),
                threshold=10,
                evaluation_periods=5,
            )
        )
    return alarms


def redrive_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarm of the function that redrives dead letters."""
    return [
        AlarmDefinition(
            id="RedriveFailed",
            symptom="the redrive function failed.",
            meaning="The dead letters are where they were, or part of them moved; nothing is lost.",
            first_command=f"aws logs tail --since 1h {log_group_name}",
            metrics={
                "errors": Metric(
                    namespace="AWS/Lambda", name="Errors", dimensions={"FunctionName": function_name}, statistic="Sum"
                )
            },
        )
    ]


def scaling_planner_alarms(*, function_name: str, log_group_name: str) -> list[AlarmDefinition]:
    """The alarms of the function that plans tasks every minute: one for silence, one for errors."""
    function = {"FunctionName": function_name}
    return [
        AlarmDefinition(
            id="PlannerSilent",
            symptom="no plan was made for 5 minutes.",
            meaning="The workers keep the tasks they have, whatever arrives: nothing adds or removes any.",
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
            first_command=f"aws logs tail --since 15m {log_group_name}",
            metrics={
                "errors": Metric(namespace="AWS/Lambda", name="Errors", dimensions=function, statistic="Sum"),
            },
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
    ]


def _no_task_running(
    visible: Metric, running: Metric, cluster_name: str, service_name: str, min_tasks: int
) -> AlarmDefinition:
    """Silence is the failure here: a task that does not run reports nothing."""
    if min_tasks >= 1:
        return AlarmDefinition(
            id="NoTaskRunning",
            symptom="no task has run for 5 minutes.",
            meaning=f"At least {min_tasks} should run, work or not. Tasks cannot start, or they stop at once.",
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
        first_command=_service(cluster_name, service_name),
        metrics={"visible": visible, "running": running},
        # SQS goes silent only for a queue nobody touched in six hours; that silence means there is no work.
        expression="IF(visible > 0, FILL(running, 0) < 1, 0)",
        evaluation_periods=10,
    )


def _at_max_capacity(
    visible: Metric, running: Metric, cluster_name: str, service_name: str, max_tasks: int
) -> AlarmDefinition:
    return AlarmDefinition(
        id="AtMaxCapacity",
        symptom=f"all {max_tasks} tasks have run for 15 minutes and messages still wait.",
        meaning="Scaling can do no more. If the backlog grows, raise max_tasks or make the handler faster.",
        first_command=_service(cluster_name, service_name),
        metrics={"visible": visible, "running": running},
        expression=f"IF(running >= {max_tasks} AND visible > 0, 1, 0)",
        evaluation_periods=15,
    )


def _scaling_metric_missing(visible: Metric, queue_name: str, *, planned: bool) -> AlarmDefinition:
    # The planner asks the queue itself for its depth, but only CloudWatch for what arrives.
    consequence = "tasks are added for what waits, and none is removed" if planned else "the service no longer scales"
    return AlarmDefinition(
        id="ScalingMetricMissing",
        symptom="the queue has reported no depth for 15 minutes.",
        meaning=f"A queue that tasks poll reports every minute. Without it {consequence}.",
        first_command=_queue_attributes(queue_name),
        metrics={"visible": visible},
        comparison="<",
        threshold=0,  # never: only silence raises this one
        evaluation_periods=15,
        missing_data="breaching",
    )


def _run_missed(succeeded_rule_name: str, worker_name: str, expected_every: timedelta) -> AlarmDefinition | None:
    """No success for one period and a half (six hours more at most), counted in steps CloudWatch can look back over."""
    window = expected_every + min(expected_every / 2, timedelta(hours=6))
    if window > timedelta(days=7):
        return None
    # EventBridge reports no zeros: every step without a success is a missing one, hence breaching.
    step = timedelta(minutes=5) if window <= timedelta(days=1) else timedelta(hours=1)
    return AlarmDefinition(
        id="RunMissed",
        symptom=f"no run has succeeded for {_in_words(window)}.",
        meaning=f"One is expected every {_in_words(expected_every)}. The schedule is off, or runs fail or hang. "
        "After the first deployment this is raised until the first run ends well.",
        first_command=_logs(worker_name),
        metrics={"succeeded": _rule(succeeded_rule_name, "Invocations")},
        comparison="<",
        period=int(step.total_seconds()),
        evaluation_periods=math.ceil(window / step),
        missing_data="breaching",
    )


def _redis_cpu(cache_cluster_ids: Sequence[str], vcpus: int) -> AlarmDefinition:
    """The engine has one busy thread: small nodes are judged by the machine's CPU, where other work counts too."""
    small = vcpus < 4
    threshold = 90 / vcpus if small else 80
    return AlarmDefinition(
        id="RedisBusy",
        symptom=f"the cache's {'CPU' if small else 'engine'} has been {threshold:g} % busy for 5 minutes.",
        meaning="Commands queue behind its one thread; every handler that uses the cache slows down.",
        first_command=_cache_clusters(cache_cluster_ids),
        **_worst_of(cache_cluster_ids, "CPUUtilization" if small else "EngineCPUUtilization"),
        threshold=threshold,
        evaluation_periods=5,
    )


class _Watched(TypedDict):
    metrics: Mapping[str, Metric]
    expression: str | None


def _worst_of(cache_cluster_ids: Sequence[str], name: str, *, statistic: str = "Maximum") -> _Watched:
    metrics = {
        f"node{number}": Metric(
            namespace="AWS/ElastiCache", name=name, dimensions={"CacheClusterId": cluster_id}, statistic=statistic
        )
        for number, cluster_id in enumerate(cache_cluster_ids, start=1)
    }
    return {"metrics": metrics, "expression": f"MAX([{', '.join(metrics)}])" if len(metrics) > 1 else None}


def _queue(name: str, metric: str, *, statistic: str = "Maximum") -> Metric:
    return Metric(namespace="AWS/SQS", name=metric, dimensions={"QueueName": name}, statistic=statistic)


def _running_tasks(cluster_name: str, service_name: str) -> Metric:
    """Each running task reports its CPU once a minute, free of charge, so the samples count the tasks."""
    return Metric(
        namespace="AWS/ECS",
        name="CPUUtilization",
        dimensions={"ClusterName": cluster_name, "ServiceName": service_name},
        statistic="SampleCount",
    )


def _worker(qualified_name: str, metric: str) -> Metric:
    return Metric(namespace=RUNTIME_NAMESPACE, name=metric, dimensions={"Worker": qualified_name}, statistic="Sum")


def _rule(name: str, metric: str) -> Metric:
    return Metric(namespace="AWS/Events", name=metric, dimensions={"RuleName": name}, statistic="Sum")


def _queue_url(queue_name: str) -> str:
    return f"$(aws sqs get-queue-url --queue-name {queue_name} --query QueueUrl --output text)"


def _queue_attributes(queue_name: str) -> str:
    return f"aws sqs get-queue-attributes --attribute-names All --queue-url {_queue_url(queue_name)}"


def _service(cluster_name: str, service_name: str) -> str:
    return (
        f"aws ecs describe-services --cluster {cluster_name} --services {service_name} "
        "--query 'services[0].[desiredCount,runningCount,pendingCount,events[:5]]'"
    )


def _logs(worker_name: str) -> str:
    # CloudFormation names the log group after the construct, hence after the worker.
    return (
        f"aws logs tail --since 1h $(aws logs describe-log-groups --log-group-name-pattern {worker_name} "
        "--query 'logGroups[0].logGroupName' --output text)"
    )


def _cache_clusters(cache_cluster_ids: Sequence[str]) -> str:
    return f"aws elasticache describe-cache-clusters --show-cache-node-info --cache-cluster-id {cache_cluster_ids[0]}"


def _in_words(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    parts = ((days, "d"), (rest // 60, "h"), (rest % 60, "min"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)

"""What each alarm watches, and that it speaks when it should: the expressions run through a metric-math evaluator."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from fargate_workers.alarms import catalogue
from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers_toolkit.aws_behaviour.metric_math import evaluate

Series = Sequence[float | None]


def worker(
    *, min_tasks: int = 1, max_tasks: int = 10, max_processing_seconds: int = 900, planned: bool = False
) -> dict[str, AlarmDefinition]:
    of_queue = catalogue.work_queue_alarms(
        queue_name="orders",
        dead_letter_queue_name="orders-dead",
        log_group_name="orders-logs",
        acceptable_age_seconds=300,
        max_processing_seconds=max_processing_seconds,
    )
    of_service = catalogue.worker_alarms(
        backlog=catalogue.queue_metric("orders", "ApproximateNumberOfMessagesVisible"),
        look=catalogue.queue_attributes_command("orders"),
        cluster_name="cluster",
        service_name="service",
        qualified_name="Shop/Orders",
        log_group_name="orders-logs",
        min_tasks=min_tasks,
        max_tasks=max_tasks,
        planned=planned,
    )
    return by_id([*of_queue, *of_service])


def redis(*, nodes: int = 2, vcpus: int = 2, evicts_by_design: bool = False) -> dict[str, AlarmDefinition]:
    return by_id(
        catalogue.redis_alarms(
            cache_cluster_ids=[f"cache-00{number}" for number in range(1, nodes + 1)],
            vcpus=vcpus,
            connection_budget=1_000,
            evicts_by_design=evicts_by_design,
        )
    )


def schedule(expected_every: timedelta) -> dict[str, AlarmDefinition]:
    return by_id(
        catalogue.scheduled_task_alarms(
            succeeded_rule_name="succeeded",
            failed_rule_name="failed",
            log_group_name="report-logs",
            expected_every=expected_every,
        )
    )


def by_id(alarms: list[AlarmDefinition]) -> dict[str, AlarmDefinition]:
    found = {alarm.id: alarm for alarm in alarms}
    assert len(found) == len(alarms)
    return found


def breaches(alarm: AlarmDefinition, series: Mapping[str, Series]) -> list[bool | None]:
    """Which periods breach; None where there is no datapoint."""
    assert alarm.expression is not None
    compare = {">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__}[alarm.comparison]
    return [
        None if value is None else compare(float(value), float(alarm.threshold))
        for value in evaluate(alarm.expression, series, period=alarm.period)
    ]


def test_a_worker_has_the_whole_catalogue() -> None:
    assert set(worker()) == {
        "DeadLetters",
        "DeadLettersRising",
        "OldestMessageTooOld",
        "QueueStuck",
        "NoTaskRunning",
        "AtMaxCapacity",
        "OutcomesGivenUp",
        "ScalingMetricMissing",
        "PausedTooLong",
    }


def test_a_worker_that_may_sleep_is_allowed_a_silent_queue() -> None:
    assert "ScalingMetricMissing" not in worker(min_tasks=0)


def test_the_planner_sees_how_long_a_worker_is_paused() -> None:
    alarm = worker(planned=True)["PausedTooLong"]

    (metric,) = alarm.metrics.values()
    assert (metric.namespace, metric.name) == ("FargateWorkers/Scaling", "PauseOverdue")
    assert metric.dimensions == {"Worker": "Shop/Orders"}
    assert (alarm.comparison, alarm.threshold, alarm.missing_data) == (">", 0, "notBreaching")


def test_without_a_planner_a_day_in_which_work_waits_and_no_task_runs_is_a_pause_that_is_too_long() -> None:
    alarm = worker(min_tasks=0)["PausedTooLong"]

    assert alarm.period * alarm.evaluation_periods == 86_400
    assert breaches(alarm, {"visible": [5, 5, 0], "running": [None, 2, None]}) == [True, False, False]


def test_an_outbox_is_late_after_minutes_and_parked_at_once() -> None:
    late, parked = catalogue.outbox_alarms(qualified_name="Shop/Orders", log_group_name="orders-logs")

    assert (late.threshold, late.datapoints_to_alarm, late.evaluation_periods) == (300, 3, 5)
    assert (parked.comparison, parked.threshold, parked.evaluation_periods) == (">=", 1, 1)
    assert {metric.statistic for each in (late, parked) for metric in each.metrics.values()} == {"Maximum"}


def test_a_worker_of_fixed_size_is_always_at_its_maximum_and_that_is_no_news() -> None:
    assert "AtMaxCapacity" not in worker(min_tasks=3, max_tasks=3)


def test_one_dead_letter_is_enough_within_a_minute() -> None:
    alarm = worker()["DeadLetters"]

    assert (alarm.comparison, alarm.threshold, alarm.period, alarm.evaluation_periods) == (">", 0, 60, 1)
    assert alarm.missing_data == "notBreaching"
    assert {metric.statistic for metric in alarm.metrics.values()} == {"Maximum"}
    assert all(metric.dimensions == {"QueueName": "orders-dead"} for metric in alarm.metrics.values())


@pytest.mark.parametrize("id", ["DeadLetters", "DeadLettersRising", "UndeliveredEvents"])
def test_whoever_looks_at_dead_letters_hides_them_and_neither_ends_nor_raises_an_alarm(id: str) -> None:
    undelivered = by_id(catalogue.event_target_alarms(rule_name="rule", dead_letter_queue_name="dead"))
    alarm = (worker() | undelivered)[id]
    looked_at = {"visible": [15, 15, 5, 0, 15], "hidden": [0, 0, 10, 15, 0]}

    assert {metric.name for metric in alarm.metrics.values()} == {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
    }
    assert breaches(alarm, looked_at)[1:] == [id != "DeadLettersRising"] * 4


def test_dead_letters_that_join_others_are_told_again_and_the_first_ones_are_not_told_twice() -> None:
    alarm = worker()["DeadLettersRising"]

    assert breaches(alarm, {"visible": [0, 3, 3, 5, 5, 1, 0], "hidden": [0] * 7})[1:] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


def test_no_alarm_counts_messages_sent() -> None:
    # https://github.com/cdklabs/cdk-monitoring-constructs/issues/109
    assert all(m.name != "NumberOfMessagesSent" for alarm in worker().values() for m in alarm.metrics.values())


def test_age_is_told_after_three_of_five_minutes_above_what_is_acceptable() -> None:
    alarm = worker()["OldestMessageTooOld"]

    assert (alarm.comparison, alarm.threshold) == (">", 300)
    assert (alarm.datapoints_to_alarm, alarm.evaluation_periods, alarm.period) == (3, 5, 60)


def test_a_queue_is_stuck_when_messages_wait_and_none_is_finished() -> None:
    alarm = worker()["QueueStuck"]

    assert alarm.evaluation_periods == 15
    assert breaches(alarm, {"visible": [5, 5, 5, 0], "deleted": [0, 2, None, None]}) == [True, False, True, False]


def test_a_slow_handler_has_all_its_time_before_its_queue_counts_as_stuck() -> None:
    assert worker(max_processing_seconds=3_600)["QueueStuck"].evaluation_periods == 60


def test_silence_of_the_tasks_is_the_alarm_where_at_least_one_should_run() -> None:
    alarm = worker(min_tasks=1)["NoTaskRunning"]

    assert alarm.missing_data == "breaching"
    assert (alarm.comparison, alarm.threshold, alarm.evaluation_periods) == ("<", 1, 5)
    (metric,) = alarm.metrics.values()
    assert (metric.namespace, metric.name, metric.statistic) == ("AWS/ECS", "CPUUtilization", "SampleCount")


def test_a_worker_that_may_sleep_is_only_missed_while_messages_wait() -> None:
    alarm = worker(min_tasks=0)["NoTaskRunning"]

    assert alarm.evaluation_periods == 10
    assert breaches(alarm, {"visible": [4, 4, 0], "running": [None, 2, None]}) == [True, False, False]


def test_being_at_the_maximum_matters_only_while_messages_wait() -> None:
    alarm = worker(max_tasks=10)["AtMaxCapacity"]

    assert alarm.evaluation_periods == 15
    assert breaches(alarm, {"visible": [9, 0, 9], "running": [10, 10, 9]}) == [True, False, False]


def test_only_silence_raises_the_missing_scaling_metric() -> None:
    alarm = worker()["ScalingMetricMissing"]

    assert alarm.missing_data == "breaching"
    assert (alarm.comparison, alarm.threshold, alarm.evaluation_periods) == ("<", 0, 15)


def test_a_planner_still_adds_tasks_for_a_queue_that_cloudwatch_does_not_hear_of() -> None:
    meanings = [worker(planned=planned)["ScalingMetricMissing"].meaning for planned in (False, True)]
    assert [meaning.split("Without it ")[1] for meaning in meanings] == [
        "the service no longer scales.",
        "tasks are added for what waits, and none is removed.",
    ]


def failing() -> AlarmDefinition:
    return catalogue.handler_failing_alarm(qualified_name="Shop/Orders", log_group_name="orders-logs")


def test_a_failing_handler_is_told_after_three_of_five_minutes() -> None:
    alarm = failing()

    assert (alarm.threshold, alarm.datapoints_to_alarm, alarm.evaluation_periods) == (1, 3, 5)
    assert {(metric.name, str(metric.dimensions)) for metric in alarm.metrics.values()} == {
        ("MessagesFailed", "{'Worker': 'Shop/Orders'}"),
        ("MessagesHandled", "{'Worker': 'Shop/Orders'}"),
    }


@pytest.mark.parametrize(
    ("failed", "handled", "breaching"),
    [(1, 1_000, False), (49, 1_000, False), (53, 1_000, True), (1, 0, True), (0, 0, False), (3, None, True)],
)
def test_a_handler_fails_by_its_share_of_the_attempts(failed: int, handled: int | None, breaching: bool) -> None:
    assert breaches(failing(), {"failed": [failed], "handled": [handled]}) == [breaching]


def test_a_single_outcome_that_was_given_up_is_told() -> None:
    alarm = worker()["OutcomesGivenUp"]

    (metric,) = alarm.metrics.values()
    assert (metric.namespace, metric.name, metric.statistic) == ("FargateWorkers", "OutcomesGivenUp", "Sum")
    assert metric.dimensions == {"Worker": "Shop/Orders"}
    assert (alarm.comparison, alarm.threshold, alarm.evaluation_periods) == (">=", 1, 1)


def test_every_alarm_that_silence_raises_says_that_a_first_deployment_raises_it() -> None:
    planner = catalogue.scaling_planner_alarms(function_name="planner", log_group_name="logs")
    alarms = [*worker().values(), *schedule(timedelta(hours=1)).values(), *planner]
    silent = [alarm for alarm in alarms if alarm.missing_data == "breaching"]

    assert {alarm.id for alarm in silent} == {"NoTaskRunning", "ScalingMetricMissing", "RunMissed", "PlannerSilent"}
    assert all("After the first deployment" in alarm.describe("Shop/Orders", environment="Shop") for alarm in silent)


def test_every_log_is_named_by_its_own_name() -> None:
    commands = [alarm.first_command for alarm in (*worker().values(), failing(), *schedule(timedelta(1)).values())]
    logs = {command for command in commands if "logs" in command.split()}

    assert logs == {"aws logs tail --since 1h orders-logs", "aws logs tail --since 1h report-logs"}


def test_a_failed_run_is_told_at_once() -> None:
    alarm = schedule(timedelta(hours=1))["RunFailed"]

    (metric,) = alarm.metrics.values()
    assert (metric.name, metric.statistic, metric.dimensions) == ("Invocations", "Sum", {"RuleName": "failed"})
    assert (alarm.comparison, alarm.threshold, alarm.evaluation_periods) == (">=", 1, 1)


@pytest.mark.parametrize(
    ("expected_every", "window", "period"),
    [
        (timedelta(minutes=5), timedelta(minutes=10), 300),  # 7.5 minutes, in whole steps
        (timedelta(hours=1), timedelta(hours=1, minutes=30), 300),
        (timedelta(days=1), timedelta(hours=30), 3_600),
        (timedelta(days=3), timedelta(days=3, hours=6), 3_600),
        (timedelta(days=6, hours=18), timedelta(days=7), 3_600),
    ],
)
def test_a_run_is_missed_after_a_period_and_a_half_or_six_hours_more(
    expected_every: timedelta, window: timedelta, period: int
) -> None:
    alarm = schedule(expected_every)["RunMissed"]

    assert alarm.missing_data == "breaching"
    assert (alarm.comparison, alarm.threshold, alarm.datapoints_to_alarm) == ("<", 1, None)
    assert alarm.period == period
    assert timedelta(seconds=alarm.period * alarm.evaluation_periods) == window


def test_a_schedule_rarer_than_cloudwatch_looks_back_has_no_missed_run_alarm() -> None:
    assert set(schedule(timedelta(days=7))) == {"RunFailed"}


def test_an_event_is_told_whether_it_failed_was_kept_or_was_lost() -> None:
    (alarm,) = catalogue.event_target_alarms(rule_name="rule")

    assert breaches(alarm, {"failed": [1, None], "kept": [None, 2], "lost": [None, None]}) == [True, True]
    assert {metric.name for metric in alarm.metrics.values()} == {
        "FailedInvocations",
        "InvocationsSentToDlq",
        "InvocationsFailedToBeSentToDlq",
    }


def test_a_targets_own_dead_letter_queue_has_an_alarm_too() -> None:
    alarms = by_id(catalogue.event_target_alarms(rule_name="rule", dead_letter_queue_name="dead"))

    assert set(alarms) == {"InvocationsFailed", "UndeliveredEvents"}


def test_a_small_cache_is_judged_by_its_machine_and_a_large_one_by_its_engine() -> None:
    small, large = redis(vcpus=2)["RedisBusy"], redis(vcpus=4)["RedisBusy"]

    assert (small.threshold, small.metrics["node1"].name) == (45, "CPUUtilization")
    assert (large.threshold, large.metrics["node1"].name) == (80, "EngineCPUUtilization")


def test_the_worst_node_decides() -> None:
    assert breaches(redis()["RedisMemoryHigh"], {"node1": [10, 10], "node2": [10, 81]}) == [False, True]


def test_connections_are_told_at_80_percent_of_the_budget() -> None:
    assert redis()["RedisConnectionsHigh"].threshold == 800


def test_memory_is_told_at_80_percent() -> None:
    assert redis()["RedisMemoryHigh"].threshold == 80


def test_a_cache_that_evicts_is_told_of_lasting_evictions_and_may_be_full() -> None:
    alarms = redis(evicts_by_design=True)

    alarm = alarms["RedisEvictions"]
    assert (alarm.comparison, alarm.threshold, alarm.evaluation_periods) == (">", 0, 30)
    assert alarm.metrics["node1"].statistic == "Sum"
    assert not {"RedisMemoryHigh", "RedisMemoryFull"} & alarms.keys()


def test_a_cache_that_never_evicts_is_told_at_once_that_it_refuses_writes() -> None:
    alarms = redis()

    assert (alarms["RedisMemoryFull"].threshold, alarms["RedisMemoryFull"].evaluation_periods) == (95, 1)
    assert "RedisEvictions" not in alarms


def test_replication_lag_is_told_at_10_seconds_where_there_is_a_replica() -> None:
    assert redis(nodes=2)["RedisReplicationLag"].threshold == 10
    assert "RedisReplicationLag" not in redis(nodes=1)


def test_a_lone_node_needs_no_expression() -> None:
    alarms = [*redis(nodes=1).values(), *redis(nodes=1, evicts_by_design=True).values()]
    assert all(alarm.expression is None for alarm in alarms)


def test_a_single_failure_of_the_redrive_function_is_told() -> None:
    (alarm,) = catalogue.redrive_alarms(function_name="redrive", log_group_name="logs")

    (metric,) = alarm.metrics.values()
    assert (metric.namespace, metric.name, metric.statistic, alarm.threshold) == ("AWS/Lambda", "Errors", "Sum", 1)

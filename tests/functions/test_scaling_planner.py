"""The planner's edge: what it asks AWS, what it publishes, and what one broken worker costs the others: nothing."""

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fargate_workers_planner import handler as edge
from fargate_workers_planner.arithmetic import HISTORY, Policy
from fargate_workers_planner.settings import Worker, workers
from fargate_workers_planner.sources import Queue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UNTIL = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ORDERS = {
    "worker": "Orders",
    "queue_url": "https://sqs.eu-west-1.amazonaws.com/111111111111/orders",
    "queue_name": "orders",
    "cluster": "workers",
    "service": "orders-service",
    "policy": {"acceptable_latency": 300, "processing_time": 0.5, "concurrency": 1, "min_tasks": 1, "max_tasks": 50},
}
IMPORTS = {
    **ORDERS,
    "worker": "Imports",
    "queue_url": "https://sqs.eu-west-1.amazonaws.com/111111111111/imports",
    "queue_name": "imports",
    "service": "imports-service",
}


class Aws:
    """SQS, ECS and CloudWatch, answering as each test says; every answer must be asked for."""

    def __init__(self) -> None:
        credentials = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.clients = {name: boto3.client(name, **credentials) for name in ("sqs", "ecs", "cloudwatch")}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        self.published: dict[tuple[str, str], float] = {}
        self.stamps: set[datetime] = set()
        self.calls = 0
        self.asked: list[dict[str, Any]] = []
        events = self.clients["cloudwatch"].meta.events
        events.register("before-parameter-build.cloudwatch.GetMetricData", self._asked)
        events.register("before-parameter-build.cloudwatch.PutMetricData", self._published)

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(params)

    def _published(self, params: dict[str, Any], **_: Any) -> None:
        self.calls += 1
        assert params["Namespace"] == "FargateWorkers/Scaling"
        for datum in params["MetricData"]:
            (dimension,) = datum["Dimensions"]
            assert dimension["Name"] == "Worker"
            self.published[dimension["Value"], datum["MetricName"]] = datum["Value"]
            self.stamps.add(datum["Timestamp"])

    def knows(self, *results: dict[str, Any], then: str | None = None, of_queues: Sequence[Any] = ()) -> None:
        """The first reading; and the second, which is made only for workers that report no work."""
        answer: dict[str, Any] = {"MetricDataResults": list(results)} | ({"NextToken": then} if then else {})
        self.stubs["cloudwatch"].add_response("get_metric_data", answer)
        if not then and not any(result["Id"].startswith("messages") for result in results):
            self.stubs["cloudwatch"].add_response("get_metric_data", {"MetricDataResults": list(of_queues)})

    def has(
        self,
        worker: dict[str, Any] = ORDERS,
        *,
        visible: int = 0,
        in_flight: int = 0,
        desired: int = 1,
        running: int = 1,
    ) -> None:
        self.queues(worker, visible=visible, in_flight=in_flight)
        self.runs(worker, {"desiredCount": desired, "runningCount": running})

    def queues(self, worker: dict[str, Any], *, visible: int, in_flight: int) -> None:
        attributes = {
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        }
        asked = {"QueueUrl": worker["queue_url"], "AttributeNames": list(attributes)}
        self.stubs["sqs"].add_response("get_queue_attributes", {"Attributes": attributes}, asked)

    def runs(self, worker: dict[str, Any], *services: dict[str, Any]) -> None:
        asked = {"cluster": worker["cluster"], "services": [worker["service"]], "include": ["TAGS"]}
        self.stubs["ecs"].add_response("describe_services", {"services": list(services)}, asked)

    def takes_the_plans(self) -> None:
        self.stubs["cloudwatch"].add_response("put_metric_data", {})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    fake = Aws()
    monkeypatch.setattr(edge, "client", fake.clients.__getitem__)
    for stub in fake.stubs.values():
        stub.activate()
    yield fake
    for stub in fake.stubs.values():
        stub.assert_no_pending_responses()


def series(id: str, values: Sequence[float | None]) -> dict[str, Any]:
    """Datapoints of the last minutes, the newest first as CloudWatch likes it; None where there is none."""
    points = [
        (UNTIL - back * MINUTE, value) for back, value in enumerate(reversed(values), start=1) if value is not None
    ]
    return {"Id": id, "Timestamps": [moment for moment, _ in points], "Values": [value for _, value in points]}


def plan_for(*settings: dict[str, Any]) -> None:
    edge.plan_for(workers({"workers": settings}), now=NOW)


def test_a_plan_is_published_as_four_metrics_of_the_worker_in_the_minute_that_just_ended(aws: Aws) -> None:
    aws.knows(series("sent0", [1_440.0] * HISTORY))
    aws.has(visible=1_200, in_flight=8, desired=10, running=8)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published == {
        ("Orders", "DesiredTasks"): 11,
        ("Orders", "CapacityGap"): 3,
        ("Orders", "CapacityGapIn"): 0,
        ("Orders", "BacklogSeconds"): 75,
    }
    assert aws.stamps == {UNTIL - MINUTE}


def test_too_many_tasks_are_published_as_a_negative_gap(aws: Aws) -> None:
    aws.knows(series("sent0", [1_200.0] * HISTORY))
    aws.has(desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert (aws.published["Orders", "CapacityGap"], aws.published["Orders", "CapacityGapIn"]) == (0, -10)


def test_work_is_measured_from_the_workers_own_metric(aws: Aws) -> None:
    sent, messages = [1_200.0] * HISTORY, [1_200.0] * HISTORY
    aws.knows(series("sent0", sent), series("messages0", messages), series("seconds0", [2 * 1_200.0] * HISTORY))
    aws.has(visible=900, in_flight=20, desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "DesiredTasks"] == 44
    assert aws.published["Orders", "BacklogSeconds"] == 90


def test_work_is_read_off_the_queue_of_an_image_that_reports_none(aws: Aws) -> None:
    # 20 tasks hold a message each and finish 600 a minute: 2 s each, where 0.5 s was declared.
    aws.knows(
        series("sent0", [600.0] * HISTORY),
        of_queues=[series("flying0", [20.0] * HISTORY), series("deleted0", [600.0] * HISTORY)],
    )
    aws.has(visible=900, in_flight=20, desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "BacklogSeconds"] == 90
    _, asked = aws.asked
    metrics = [(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]) for query in asked["MetricDataQueries"]]
    assert [(metric["MetricName"], metric["Dimensions"][0]["Value"], stat) for metric, stat in metrics] == [
        ("ApproximateNumberOfMessagesNotVisible", "orders", "Average"),
        ("NumberOfMessagesDeleted", "orders", "Sum"),
    ]


def test_a_worker_that_reports_its_work_is_read_once(aws: Aws) -> None:
    aws.knows(series("sent0", [60.0]), series("messages0", [60.0]), series("seconds0", [30.0]))
    aws.has()
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert len(aws.asked) == 1


def test_an_old_message_hurries(aws: Aws) -> None:
    aws.knows(series("sent0", [1_080.0] * HISTORY), series("age0", [0.0, 290.0, None]))
    aws.has(visible=4_000, in_flight=20, desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "CapacityGap"] == 11


def test_an_age_of_long_ago_is_forgotten(aws: Aws) -> None:
    aws.knows(series("sent0", [1_080.0] * HISTORY), series("age0", [290.0, None, None, None]))
    aws.has(visible=2_000, desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "CapacityGap"] == 0


def test_minutes_keep_their_place_when_some_are_missing(aws: Aws) -> None:
    # Quiet for three known minutes, but not three in a row.
    aws.knows(series("sent0", [1_200.0] * 38 + [0.0, None, 0.0, 0.0, None]))
    aws.has(desired=20, running=20)
    aws.takes_the_plans()

    plan_for({**ORDERS, "policy": {**ORDERS["policy"], "min_tasks": 0}})

    assert aws.published["Orders", "DesiredTasks"] == 1


def test_a_metric_that_continues_on_the_next_page_is_read_to_its_end(aws: Aws) -> None:
    sent = series("sent0", [1_200.0] * HISTORY)
    newest, oldest = slice(0, 20), slice(20, None)
    aws.knows({**sent, **{key: sent[key][newest] for key in ("Timestamps", "Values")}}, then="more")
    aws.knows({**sent, **{key: sent[key][oldest] for key in ("Timestamps", "Values")}})
    aws.has(desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "DesiredTasks"] == 10
    assert [request.get("NextToken") for request in aws.asked[:2]] == [None, "more"]


def test_cloudwatch_is_asked_for_whole_minutes_of_the_queue_and_of_the_worker(aws: Aws) -> None:
    aws.knows()
    aws.has()
    aws.takes_the_plans()

    plan_for(ORDERS)

    asked, _ = aws.asked
    assert (asked["StartTime"], asked["EndTime"]) == (UNTIL - HISTORY * MINUTE, UNTIL)
    metrics = [(query["MetricStat"]["Metric"], query["MetricStat"]) for query in asked["MetricDataQueries"]]
    assert [(m["Namespace"], m["MetricName"], m["Dimensions"][0]["Value"], stat["Stat"]) for m, stat in metrics] == [
        ("AWS/SQS", "NumberOfMessagesSent", "orders", "Sum"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "orders", "Maximum"),
        ("FargateWorkers", "WorkSeconds", "Orders", "Sum"),
        ("FargateWorkers", "WorkSeconds", "Orders", "SampleCount"),
    ]
    assert {stat["Period"] for _, stat in metrics} == {60}


def test_a_fifo_queue_is_asked_for_its_groups_and_gets_no_more_tasks_than_those_keep_busy(aws: Aws) -> None:
    name = "orders.fifo"
    fifo = {**ORDERS, "queue_name": name, "policy": {**ORDERS["policy"], "concurrency": 10}}
    # The newest minute is still on its way.
    late: list[float | None] = [None] * (HISTORY - 7)
    aws.knows(series("age0", [*late, *[300.0] * 6, None]), series("groups0", [*late, *[10.0] * 6, None]))
    aws.has(fifo, visible=5_000, in_flight=200, desired=5, running=5)
    aws.takes_the_plans()

    edge.plan_for(workers({"workers": [fifo]}), now=NOW)

    asked = [query["MetricStat"] for query in aws.asked[0]["MetricDataQueries"] if query["Id"] == "groups0"]
    assert [(each["Metric"]["MetricName"], each["Stat"]) for each in asked] == [
        ("ApproximateNumberOfGroupsWithInflightMessages", "Maximum")
    ]
    assert aws.published["Orders", "DesiredTasks"] == 1


def test_all_workers_share_one_reading_and_one_publishing(aws: Aws) -> None:
    aws.knows(series("sent0", [1_200.0] * HISTORY), series("sent1", [120.0] * HISTORY))
    aws.has(ORDERS, desired=20, running=20)
    aws.has(IMPORTS, desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS, IMPORTS)

    assert aws.calls == 1
    assert aws.published["Orders", "DesiredTasks"] == 10
    assert aws.published["Imports", "DesiredTasks"] == 1


def test_more_workers_than_one_reading_holds_are_planned_in_turns(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_WORKERS", 1)
    for settings in (ORDERS, IMPORTS):
        aws.knows(series("sent0", [1_200.0] * HISTORY))
        aws.has(settings, desired=20, running=20)
        aws.takes_the_plans()

    plan_for(ORDERS, IMPORTS)

    assert aws.published["Orders", "DesiredTasks"] == aws.published["Imports", "DesiredTasks"] == 10


NO_GAP = {("Orders", "CapacityGap"): 0, ("Orders", "CapacityGapIn"): 0}


def test_one_workers_missing_queue_does_not_stop_the_others_but_is_raised_at_the_end(aws: Aws) -> None:
    aws.knows()
    aws.runs(ORDERS, {"desiredCount": 1, "runningCount": 1})
    aws.stubs["sqs"].add_client_error("get_queue_attributes", "AWS.SimpleQueueService.NonExistentQueue")
    aws.has(IMPORTS)
    aws.takes_the_plans()
    aws.takes_the_plans()

    with pytest.raises(edge.PlanningFailed, match=r"Orders: .*NonExistentQueue"):
        plan_for(ORDERS, IMPORTS)

    assert {name for worker, name in aws.published if worker == "Imports"} > {"CapacityGap", "DesiredTasks"}
    assert {key: value for key, value in aws.published.items() if key[0] == "Orders"} == NO_GAP


def test_a_service_that_is_gone_has_no_plan_and_no_gap(aws: Aws) -> None:
    aws.knows()
    aws.runs(ORDERS)
    aws.takes_the_plans()

    with pytest.raises(edge.PlanningFailed, match=r"Orders: The cluster workers has no service orders-service\."):
        plan_for(ORDERS)

    assert aws.published == NO_GAP
    assert aws.stamps == {UNTIL - MINUTE}


def test_when_no_metric_can_be_read_no_worker_has_a_gap_and_the_alarm_sees_it(aws: Aws) -> None:
    aws.stubs["cloudwatch"].add_client_error("get_metric_data", "InternalServiceFault")
    aws.takes_the_plans()

    with pytest.raises(edge.PlanningFailed, match=r"Orders: .*InternalServiceFault.* Imports: .*InternalServiceFault"):
        plan_for(ORDERS, IMPORTS)

    assert aws.published == NO_GAP | {("Imports", "CapacityGap"): 0, ("Imports", "CapacityGapIn"): 0}


def test_when_a_plan_cannot_be_published_the_alarm_sees_it(aws: Aws) -> None:
    aws.knows()
    aws.has()
    aws.stubs["cloudwatch"].add_client_error("put_metric_data", "InternalServiceFault")

    with pytest.raises(Exception, match="InternalServiceFault"):
        plan_for(ORDERS)


def test_during_a_deployment_the_tasks_of_both_versions_count(aws: Aws) -> None:
    """Auto Scaling adds to all of them: from the 10 old ones alone, 13 tasks would become 23."""
    versions = [{"runningCount": 2, "pendingCount": 8}, {"runningCount": 10, "pendingCount": 0}]
    aws.knows(series("sent0", [1_440.0] * HISTORY))
    aws.queues(ORDERS, visible=2_400, in_flight=12)
    aws.runs(ORDERS, {"desiredCount": 10, "runningCount": 12, "deployments": versions})
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "DesiredTasks"] > 10
    assert aws.published["Orders", "CapacityGap"] == 0


def test_a_metric_that_cannot_be_read_removes_no_task(aws: Aws) -> None:
    aws.knows({"Id": "sent0", "Timestamps": [], "Values": [], "StatusCode": "InternalError"})
    aws.has(desired=20, running=20)
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published["Orders", "DesiredTasks"] == 20


def test_a_plan_that_changes_something_is_logged_with_its_reason(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.knows(series("sent0", [1_200.0] * HISTORY), series("sent1", [1_200.0] * HISTORY))
    aws.has(ORDERS, desired=20, running=20)
    aws.has(IMPORTS, desired=10, running=10)
    aws.takes_the_plans()

    with caplog.at_level(logging.INFO):
        plan_for(ORDERS, IMPORTS)

    (line,) = [json.loads(record.message) for record in caplog.records if record.name == edge.log.name]
    assert (line["worker"], line["desired"], line["plan"]["reason"]) == ("Orders", 20, "less load")


def test_the_function_reads_its_workers_from_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Worker] = []
    monkeypatch.setattr(edge, "plan_for", lambda all_workers, *, now: planned.extend(all_workers))  # noqa: PLW0108

    edge.handler({"workers": [ORDERS]}, None)

    assert planned == [
        Worker(
            worker="Orders",
            source=Queue(url=ORDERS["queue_url"], name="orders"),
            cluster="workers",
            service="orders-service",
            policy=Policy(acceptable_latency=300, processing_time=0.5, max_tasks=50),
        )
    ]


def test_a_setting_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="acceptable_age"):
        workers({"workers": [{**ORDERS, "policy": {**ORDERS["policy"], "acceptable_age": 300}}]})


def test_an_event_without_workers_says_what_to_use_instead() -> None:
    with pytest.raises(ValueError, match=r'no "workers"; .* use the Input of the rule'):
        workers({"time": "2026-01-02T03:04:00Z"})


def paused(at: str, until: str | None = None) -> list[dict[str, str]]:
    noted = {"fargate-workers:paused-at": at} | ({} if until is None else {"fargate-workers:paused-until": until})
    return [{"key": key, "value": value} for key, value in noted.items()]


@pytest.mark.parametrize(
    ("tags", "seconds"),
    [
        ([], None),
        (paused("2026-01-02T01:00:00Z", "2026-01-02T03:00:00Z"), 245),
        (paused("2026-01-02T01:00:00Z", "2026-01-02T04:00:00Z"), 0),
        (paused("2026-01-02T01:00:00Z"), 0),
        (paused("2026-01-01T03:04:00Z"), 5),
        (paused("by hand"), None),
    ],
    ids=["not paused", "past its end", "before its end", "without an end", "for more than a day", "unreadable"],
)
def test_a_pause_that_lasts_longer_than_it_was_meant_to_is_published(
    aws: Aws, tags: list[dict[str, str]], seconds: float | None
) -> None:
    aws.knows(series("sent0", [0.0] * HISTORY))
    aws.queues(ORDERS, visible=0, in_flight=0)
    aws.runs(ORDERS, {"desiredCount": 0, "runningCount": 0, "tags": tags})
    aws.takes_the_plans()

    plan_for(ORDERS)

    assert aws.published.get(("Orders", "PauseOverdue")) == seconds


def test_a_pause_is_published_even_where_nothing_is_known_of_the_source(aws: Aws) -> None:
    aws.knows(series("sent0", [0.0] * HISTORY))
    aws.runs(ORDERS, {"desiredCount": 0, "runningCount": 0, "tags": paused("2026-01-02T01:00:00Z")})
    aws.stubs["sqs"].add_client_error("get_queue_attributes", "QueueDoesNotExist")
    aws.takes_the_plans()
    aws.takes_the_plans()

    with pytest.raises(edge.PlanningFailed, match="Orders"):
        plan_for(ORDERS)

    assert aws.published["Orders", "PauseOverdue"] == 0
    assert aws.published["Orders", "CapacityGap"] == 0

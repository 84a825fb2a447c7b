"""One page that shows how an environment does."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers._aws import region
from fargate_workers.alarm_catalogue import RUNTIME_NAMESPACE

if TYPE_CHECKING:
    from fargate_workers.object_created_task import ObjectCreatedTask
    from fargate_workers.queue_worker import QueueWorker
    from fargate_workers.redis_cache import RedisCache
    from fargate_workers.scheduled_task import ScheduledTask

WIDTH = 24  # of a dashboard, in CloudWatch's units
_HEIGHT = 6

Widget = dict[str, Any]


class WorkerNames(NamedTuple):
    """What the metrics of one worker go by."""

    worker: str
    qualified: str
    queue: str
    dead_letter_queue: str
    cluster: str
    service: str


class Dashboard(Construct):
    """A CloudWatch dashboard: all alarms on top, then a row per worker, then the cache.

        Dashboard(self, "Dashboard", workers=[orders, invoices], tasks=[report], cache=cache)

    A worker's row shows its queue, the age of its oldest message and its dead letters, its tasks, and what became of
    messages. Desired and running tasks need Container Insights; without it only the number of running tasks shows.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workers: "Sequence[QueueWorker]",
        tasks: "Sequence[ScheduledTask | ObjectCreatedTask]" = (),
        cache: "RedisCache | None" = None,
    ) -> None:
        super().__init__(scope, id)
        alarms = [alarm for thing in (*workers, *tasks) for alarm in thing.alarms.values()]
        if cache is not None:
            alarms += cache.alarms
        # Two round trips for all alarms, where reading each one's ARN takes one per alarm.
        status = cloudwatch.AlarmStatusWidget(alarms=alarms, title="Alarms", width=WIDTH, height=_HEIGHT).to_json()
        names = [
            WorkerNames(
                worker=worker.task.name,
                qualified=worker.task.qualified_name,
                queue=worker.worker_queue.queue_name,
                dead_letter_queue=worker.worker_queue.dead_letter_queue_name,
                cluster=worker.task.cluster.cluster_name,
                service=worker.service_name,
            )
            for worker in workers
        ]
        rows = [status, *(worker_row(worker, region()) for worker in names)]
        if cache is not None:
            rows.append(cache_row(cache.cache_cluster_ids, region()))
        self.dashboard = cloudwatch.CfnDashboard(self, "Dashboard", dashboard_body=body(rows))


def body(rows: Iterable[Sequence[Widget]]) -> str:
    """The dashboard as JSON: rows from top to bottom, each as high as a widget, its widgets side by side."""
    placed: list[Widget] = []
    for number, row in enumerate(rows):
        width = WIDTH // len(row)
        placed += [
            {**widget, "x": place * width, "y": number * _HEIGHT, "width": width, "height": _HEIGHT}
            for place, widget in enumerate(row)
        ]
    return json.dumps({"widgets": placed})


def worker_row(names: WorkerNames, region: str) -> list[Widget]:
    queue, dead = ("QueueName", names.queue), ("QueueName", names.dead_letter_queue)
    service = ("ClusterName", names.cluster, "ServiceName", names.service)
    worker = ("Worker", names.qualified)
    return [
        _graph(
            f"{names.worker}: queue",
            region,
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *queue, {"label": "waiting"}],
            ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", *queue, {"label": "in flight"}],
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *dead, {"label": "dead letters", "color": _RED}],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", *queue, {"label": "oldest (s)", "yAxis": "right"}],
        ),
        _graph(
            f"{names.worker}: tasks",
            region,
            ["ECS/ContainerInsights", "DesiredTaskCount", *service, {"label": "desired"}],
            ["ECS/ContainerInsights", "RunningTaskCount", *service, {"label": "running"}],
            ["AWS/ECS", "CPUUtilization", *service, {"label": "running, by CPU reports", "stat": "SampleCount"}],
        ),
        _graph(
            f"{names.worker}: messages",
            region,
            *(
                [RUNTIME_NAMESPACE, f"Messages{outcome}", *worker, {"label": outcome.lower(), "stat": "Sum"}]
                for outcome in ("Handled", "Failed", "Poisoned", "Duplicate", "Fenced")
            ),
            # What lies between the two is claims, completion and waiting for the downstream's rate.
            *(
                [RUNTIME_NAMESPACE, f"{what}Seconds", *worker, {"label": f"{what.lower()} p95 (s)", **_P95}]
                for what in ("Handler", "Work")
            ),
        ),
    ]


def cache_row(cache_cluster_ids: Sequence[str], region: str) -> list[Widget]:
    def nodes(*metrics: str) -> Iterable[list[Any]]:
        for metric in metrics:
            for number, cluster_id in enumerate(cache_cluster_ids, start=1):
                yield ["AWS/ElastiCache", metric, "CacheClusterId", cluster_id, {"label": f"{metric}, node {number}"}]

    return [
        _graph("Cache: load (%)", region, *nodes("EngineCPUUtilization", "DatabaseMemoryUsagePercentage")),
        _graph("Cache: connections", region, *nodes("CurrConnections")),
        _graph("Cache: evictions and lag", region, *nodes("Evictions", "ReplicationLag")),
    ]


_RED = "#d62728"
_P95 = {"stat": "p95", "yAxis": "right"}


def _graph(title: str, region: str, *metrics: Sequence[Any]) -> Widget:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": region,
            "period": 60,
            "stat": "Maximum",
            "metrics": list(metrics),
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}},
        },
    }

"""A CloudWatch dashboard of an environment."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aws_cdk import CrossStackReferences, ReferenceStrength, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers.cloudformation import TOKEN, region, stack_of
from fargate_workers.errors import ConfigurationError
from fargate_workers.operations.dead_letter_redrive import DeadLetterRedrive
from fargate_workers.sources import WorkSource
from fargate_workers.sources.sqs import WorkerQueue
from fargate_workers.stores import RedisCache
from fargate_workers.tasks import TaskConstruct
from fargate_workers.workers import QueueFunction, QueueWorker
from fargate_workers_planner.metric_names import RUNTIME_NAMESPACE

WIDTH = 24  # of a dashboard, in CloudWatch's units
MOST_ALARMS = 100  # in a widget
MOST_WIDGETS = 500
MOST_OUTPUTS = 150  # of another stack, which has 200 at most and needs some for others
_HEIGHT = 6

Widget = dict[str, Any]


class WorkerNames(NamedTuple):
    """The names by which the metrics of one worker are found, and the metrics of what it drains."""

    worker: str
    qualified: str
    source: str
    waiting: Sequence[Sequence[Any]]
    cluster: str
    service: str


class FunctionNames(NamedTuple):
    """The names by which the metrics of one function on a queue are found, and the metrics of its queue."""

    worker: str
    qualified: str
    waiting: Sequence[Sequence[Any]]
    function: str


class Dashboard(Construct):
    """A CloudWatch dashboard: all alarms on top, then a row per worker, a row per function, then the cache.

        Dashboard(self, "Dashboard", workers=[orders, invoices], tasks=[report], cache=cache, redrives=[redrive])

    The alarms on top are those that notify someone: of the workers, functions, tasks, cache and redrives shown, of
    their scaling planners and of their alerts. A worker's row shows its queue, the age of its oldest message and its
    dead letters, or what another source reports; its tasks; and message outcomes. Desired and running tasks need
    Container Insights; without it only the number of running tasks shows. A function's row has its invocations in the
    tasks' place. The dashboard may stand in another stack than what it shows, which can change and go as if there were
    no dashboard.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        workers: The workers that get a row each.
        tasks: Scheduled and event-driven tasks, whose alarms are shown. Defaults to none.
        cache: The cache that gets a row. Defaults to none.
        redrives: Functions that redrive dead letters, whose alarms are shown. Defaults to none.
        functions: The functions on queues that get a row each. Defaults to none.

    Attributes:
        dashboard: The dashboard.

    Raises:
        ConfigurationError: There are more workers than fit on a dashboard, about 160, or about a dozen of one other
            stack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workers: Sequence[QueueWorker],
        tasks: Sequence[TaskConstruct] = (),
        cache: RedisCache | None = None,
        redrives: Sequence[DeadLetterRedrive] = (),
        functions: Sequence[QueueFunction] = (),
    ) -> None:
        super().__init__(scope, id)
        picture = _Picture(id, stack_of(self))
        planners = [worker.planner for worker in workers]
        alerts = [thing.alerts for thing in (*workers, *functions, *tasks)]
        # Each once, in the order in which it is met: a set's order would change the dashboard at every synthesis.
        shared = [thing for thing in dict.fromkeys((cache, *redrives, *planners, *alerts)) if thing is not None]
        alarms = [
            alarm
            for thing in (*workers, *functions, *tasks, *shared)
            for alarm in picture.alarms(thing, thing.alarms.values())
        ]
        # Two round trips for a hundred alarms, where reading each one's ARN takes one per alarm.
        status = [
            cloudwatch.AlarmStatusWidget(
                alarms=alarms[first : first + MOST_ALARMS], title="Alarms", width=WIDTH, height=_HEIGHT
            ).to_json()
            for first in range(0, len(alarms), MOST_ALARMS)
        ]
        names = [
            WorkerNames(
                worker=worker.task.name,
                qualified=worker.task.qualified_name,
                source="queue" if isinstance(worker.source, WorkerQueue) else worker.source.broker,
                waiting=_waiting(worker, worker.source, picture),
                cluster=picture.name(worker, worker.task.cluster.cluster_name),
                service=picture.name(worker, worker.service_name),
            )
            for worker in workers
        ]
        of_functions = [
            FunctionNames(
                worker=function.name,
                qualified=function.qualified_name,
                waiting=_waiting(function, function.worker_queue, picture),
                function=picture.name(function, function.function_name),
            )
            for function in functions
        ]
        rows = [
            *status,
            *(worker_row(worker, region()) for worker in names),
            *(function_row(function, region()) for function in of_functions),
        ]
        if cache is not None:
            rows.append(cache_row([picture.name(cache, name) for name in cache.cache_cluster_ids], region()))
        if (widgets := sum(len(row) for row in rows)) > MOST_WIDGETS:
            raise ConfigurationError(
                f"Dashboard {id!r} shows {len(workers) + len(functions)} workers in {widgets} widgets, and CloudWatch "
                f"takes {MOST_WIDGETS}; make two dashboards of it."
            )
        self.dashboard: cloudwatch.CfnDashboard = cloudwatch.CfnDashboard(self, "Dashboard", dashboard_body=body(rows))


class _Picture:
    """Refers to what it shows of other stacks without holding it there: it may change and go as if nobody looked."""

    def __init__(self, id: str, stack: Stack) -> None:
        self._id = id
        self._stack = stack
        self._outputs = Counter[Stack]()

    def alarms(self, owner: Construct, alarms: Iterable[cloudwatch.CfnAlarm]) -> list[cloudwatch.CfnAlarm]:
        shown = list(alarms)
        if (stack := stack_of(owner)) != self._stack:
            for alarm in shown:
                CrossStackReferences.of(alarm).produce(ReferenceStrength.WEAK)
            self._count(stack, len(shown))
        return shown

    def name(self, owner: Construct, name: str) -> str:
        if (stack := stack_of(owner)) == self._stack:
            return name
        self._count(stack, 1)
        return TOKEN.sub(lambda token: _weakly(token[0]), name)

    def _count(self, stack: Stack, more: int) -> None:
        self._outputs[stack] += more
        if self._outputs[stack] > MOST_OUTPUTS:
            raise ConfigurationError(
                f"Dashboard {self._id!r} would take more than {MOST_OUTPUTS} outputs of the stack {stack.node.path}, "
                "and CloudFormation gives a stack 200; make a dashboard in that stack for its own workers."
            )


def _weakly(token: str) -> str:
    try:
        return Stack.consume_reference(token, ReferenceStrength.WEAK)
    except RuntimeError:  # no attribute of a resource, but a name that is worked out later: the usual reference is left
        return token


def _waiting(worker: QueueWorker | QueueFunction, source: WorkSource, picture: _Picture) -> list[list[Any]]:
    """The metrics of what a worker drains."""
    if isinstance(source, WorkerQueue):
        queue = ("QueueName", picture.name(worker, source.queue_name))
        dead = ("QueueName", picture.name(worker, source.dead_letter_queue_name))
        return [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *queue, {"label": "waiting"}],
            ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", *queue, {"label": "in flight"}],
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *dead, {"label": "dead letters", "color": _RED}],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", *queue, {"label": "oldest (s)", "yAxis": "right"}],
        ]
    signals = source.signals
    shown = [
        (signals.backlog, {"label": "waiting"}),
        (signals.in_flight, {"label": "in flight"}),
        (signals.oldest_age, {"label": "oldest (s)", "yAxis": "right"}),
    ]
    return [
        [
            metric.namespace,
            metric.name,
            *(part for name, value in metric.dimensions.items() for part in (name, picture.name(worker, value))),
            options,
        ]
        for metric, options in shown
        if metric is not None
    ]


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
    service = ("ClusterName", names.cluster, "ServiceName", names.service)
    return [
        _graph(
            f"{names.worker}: {names.source}",
            region,
            *names.waiting,
        ),
        _graph(
            f"{names.worker}: tasks",
            region,
            ["ECS/ContainerInsights", "DesiredTaskCount", *service, {"label": "desired"}],
            ["ECS/ContainerInsights", "RunningTaskCount", *service, {"label": "running"}],
            ["AWS/ECS", "CPUUtilization", *service, {"label": "running, by CPU reports", "stat": "SampleCount"}],
        ),
        _messages(names.worker, names.qualified, region),
    ]


def function_row(names: FunctionNames, region: str) -> list[Widget]:
    function = ("FunctionName", names.function)
    return [
        _graph(f"{names.worker}: queue", region, *names.waiting),
        _graph(
            f"{names.worker}: invocations",
            region,
            ["AWS/Lambda", "ConcurrentExecutions", *function, {"label": "at once"}],
            *(
                ["AWS/Lambda", name, *function, {"label": name.lower(), "stat": "Sum", **color}]
                for name, color in (("Invocations", {}), ("Errors", {"color": _RED}), ("Throttles", {}))
            ),
            ["AWS/Lambda", "Duration", *function, {"label": "duration p95 (ms)", **_P95}],
        ),
        _messages(names.worker, names.qualified, region),
    ]


def _messages(worker: str, qualified_name: str, region: str) -> Widget:
    """What became of messages, as the runtime reports it."""
    names = ("Worker", qualified_name)
    return _graph(
        f"{worker}: messages",
        region,
        *(
            [RUNTIME_NAMESPACE, f"Messages{outcome}", *names, {"label": outcome.lower(), "stat": "Sum"}]
            for outcome in ("Handled", "Failed", "Poisoned", "Duplicate", "Fenced")
        ),
        # What lies between the two is claims, completion and waiting for the downstream's rate.
        *(
            [RUNTIME_NAMESPACE, f"{what}Seconds", *names, {"label": f"{what.lower()} p95 (s)", **_P95}]
            for what in ("Handler", "Work")
        ),
    )


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

"""Metrics that AWS publishes by itself and MiniStack does not, once a (compressed) minute."""

import math
import time
from bisect import bisect_left
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import psutil

from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.cloudwatch.embedded_metrics import embedded_metrics
from fargate_workers_toolkit.local.emulator.events.targets import Targets
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch, ecs, responses, sqs
from fargate_workers_toolkit.local.emulator.processes.containers import Containers
from fargate_workers_toolkit.local.emulator.sqs import Queues

# A system left running must not grow without end.
KEPT_MINUTES = 1440
# Durations of what runs here are longer in the minutes of the clock.
DURATIONS = ("Seconds", "Milliseconds", "Microseconds")
COUNTED = (
    "NumberOfMessagesSent",
    "NumberOfMessagesReceived",
    "NumberOfMessagesDeleted",
    "NumberOfEmptyReceives",
)


class Metrics:
    """The metrics that AWS publishes; the alarms read what CloudWatch holds.

    Args:
        clock: The clock of the embedded AWS.
        containers: The processes of tasks.
        queues: Count messages.
        targets: Count invocations.
    """

    def __init__(self, clock: Clock, *, containers: Containers, queues: Queues, targets: Targets) -> None:
        self._clock = clock
        self._containers = containers
        self._queues = queues
        self._targets = targets
        self._processes: dict[int, psutil.Process] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        cloudwatch._evict_old_metrics = _evict_nothing
        forward = ecs._emit_awslogs_event

        def emit(config: Mapping[str, Any], message: str) -> None:
            forward(config, message)
            self.publish_embedded(message)

        ecs._emit_awslogs_event = emit

    def publish(self) -> None:
        """Publish everything of the minute that ends."""
        moment = self._clock.begin_of(self._clock.minute)
        for key, queue in sqs._queues.all_items():
            with responses.request_scope(key[0], key[1]):
                self._publish_queue(queue, moment)
        for key, service in ecs._services.all_items():
            if service["status"] == "ACTIVE":
                with responses.request_scope(key[0], key[1]):
                    self._publish_service(service, moment)
        self._publish_targets(moment)
        self._forget()

    def _publish_queue(self, queue: dict[str, Any], moment: float) -> None:
        sqs._refresh_counts(queue)
        attributes = queue["attributes"]
        counts = self._queues.take_counts(queue["name"])
        # A standard queue leaves out what was received three times, and moves it to the back.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        most = math.inf if queue["is_fifo"] else 3
        sent = [message["sent_at"] for message in list(queue["messages"]) if message["receive_count"] < most]
        values = {
            "ApproximateNumberOfMessagesVisible": float(attributes["ApproximateNumberOfMessages"]),
            "ApproximateNumberOfMessagesNotVisible": float(attributes["ApproximateNumberOfMessagesNotVisible"]),
            "ApproximateNumberOfMessagesDelayed": float(attributes["ApproximateNumberOfMessagesDelayed"]),
            "ApproximateAgeOfOldestMessage": self._clock.age(min(sent)) if sent else 0.0,
            **{name: float(counts[name]) for name in COUNTED},
        }
        for name, value in values.items():
            self._put("AWS/SQS", name, value, {"QueueName": queue["name"]}, moment)

    def _publish_service(self, service: dict[str, Any], moment: float) -> None:
        cluster = service["clusterArn"].rsplit("/", 1)[-1]
        dimensions = {"ClusterName": cluster, "ServiceName": service["serviceName"]}
        group = f"service:{service['serviceName']}"
        running = [
            task for task in ecs._tasks.values() if task.get("group") == group and task["lastStatus"] == "RUNNING"
        ]
        counts = {
            "RunningTaskCount": len(running),
            "DesiredTaskCount": service["desiredCount"],
            "PendingTaskCount": service.get("pendingCount", 0),
        }
        for name, value in counts.items():
            self._put("ECS/ContainerInsights", name, value, dimensions, moment)
        # One sample a task: SampleCount is the number of running tasks, and there is none when none runs.
        for task in running:
            processor, memory = self._utilization(task)
            self._put("AWS/ECS", "CPUUtilization", processor, dimensions, moment)
            self._put("AWS/ECS", "MemoryUtilization", memory, dimensions, moment)

    def _publish_targets(self, moment: float) -> None:
        counts, self._targets.counts = self._targets.counts, {}
        for (kind, name), values in counts.items():
            if kind == "rule":
                for metric, value in values.items():
                    self._put("AWS/Events", metric, value, {"RuleName": name}, moment)
            else:
                self._put(
                    "AWS/Scheduler",
                    "InvocationAttemptCount",
                    values["Invocations"],
                    {"ScheduleGroup": "default"},
                    moment,
                )

    def _forget(self) -> None:
        oldest = self._clock.begin_of(max(self._clock.minute - KEPT_MINUTES, 0))
        for _, points in cloudwatch._metrics.all_items():
            del points[: bisect_left(points, oldest, key=itemgetter("Timestamp"))]

    def _utilization(self, task: Mapping[str, Any]) -> tuple[float, float]:
        """Percent of the task's processor and memory."""
        processor = memory = 0.0
        containers: list[str] = task.get("_docker_ids") or []
        pids = [item.process.pid for item in self._containers.list() if item.id in containers]
        for pid in pids:
            percent, size = self._usage(pid)
            processor += percent
            memory += size
        share, limit = float(task.get("cpu") or 256) / 1024, float(task.get("memory") or 512) * 2**20
        return processor / share, 100 * memory / limit

    def _usage(self, pid: int) -> tuple[float, int]:
        """Percent of one processor since the last time, and bytes of memory."""
        try:
            known = self._processes.get(pid)
            if known is None or not known.is_running():
                known = self._processes[pid] = psutil.Process(pid)
            return known.cpu_percent(), known.memory_info().rss
        except psutil.Error:  # it ended meanwhile
            self._processes.pop(pid, None)
            return 0.0, 0

    def publish_embedded(self, line: str) -> None:
        """Publish the metrics that CloudWatch Logs takes from a log line.

        Args:
            line: The line.
        """
        for metric in embedded_metrics(line):
            moment = min(metric.moment, time.time())
            for value, count in metric.values:
                measured = self._clock.stretched(value) if metric.unit in DURATIONS else value
                self._put(metric.namespace, metric.name, measured, metric.dimensions, moment, count=count)

    def _put(
        self,
        namespace: str,
        name: str,
        value: float,
        dimensions: Mapping[str, str],
        moment: float,
        *,
        count: float = 1,
    ) -> None:
        """Stores one datapoint as PutMetricData would."""
        point = {"Timestamp": moment, "Value": float(value), "Count": float(count), "Unit": "None"}
        points = cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key(dict(dimensions))))
        points.append({**point, "Dimensions": dict(dimensions)})


def _evict_nothing() -> None:
    """MiniStack replaces every list at every request, and loses what another thread is appending."""

"""Metrics that AWS publishes by itself and MiniStack does not, once a (compressed) minute."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.local.clock import Clock
from fargate_workers_toolkit.local.embedded_metrics import embedded_metrics
from fargate_workers_toolkit.local.emulator.containers import Containers
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch, ecs, responses, sqs
from fargate_workers_toolkit.local.emulator.queues import Queues
from fargate_workers_toolkit.local.emulator.targets import Targets

CLOCK_TICKS = 100
PAGE_BYTES = 4096
# A day of minutes for a metric of one point a minute: a system left running must not grow for ever.
KEPT_POINTS = 1440
COUNTED = (
    "NumberOfMessagesSent",
    "NumberOfMessagesReceived",
    "NumberOfMessagesDeleted",
    "NumberOfEmptyReceives",
)


class Metrics:
    """Publishes; the alarms read what CloudWatch holds."""

    def __init__(self, clock: Clock, *, containers: Containers, queues: Queues, targets: Targets) -> None:
        self._clock = clock
        self._containers = containers
        self._queues = queues
        self._targets = targets
        self._processor_seconds: dict[int, tuple[float, float]] = {}

    def install(self) -> None:
        forward = ecs._emit_awslogs_event

        def emit(config: Mapping[str, Any], message: str) -> None:
            forward(config, message)
            publish_embedded(message)

        ecs._emit_awslogs_event = emit

    def publish(self, moment: float) -> None:
        """Everything of one minute, stamped with that minute's own moment."""
        for key, queue in sqs._queues.all_items():
            with responses.request_scope(key[0], key[1]):
                self._publish_queue(queue, moment)
        for key, service in ecs._services.all_items():
            if service["status"] == "ACTIVE":
                with responses.request_scope(key[0], key[1]):
                    self._publish_service(service, moment)
        self._publish_targets(moment)

    def _publish_queue(self, queue: dict[str, Any], moment: float) -> None:
        sqs._refresh_counts(queue)
        attributes, now = queue["attributes"], time.time()
        counts = self._queues.take_counts(queue["name"])
        sent = [message["sent_at"] for message in list(queue["messages"])]
        values = {
            "ApproximateNumberOfMessagesVisible": float(attributes["ApproximateNumberOfMessages"]),
            "ApproximateNumberOfMessagesNotVisible": float(attributes["ApproximateNumberOfMessagesNotVisible"]),
            "ApproximateNumberOfMessagesDelayed": float(attributes["ApproximateNumberOfMessagesDelayed"]),
            "ApproximateAgeOfOldestMessage": now - min(sent, default=now),
            **{name: float(counts[name]) for name in COUNTED},
        }
        for name, value in values.items():
            put("AWS/SQS", name, value, {"QueueName": queue["name"]}, moment)

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
            put("ECS/ContainerInsights", name, value, dimensions, moment)
        # One sample a task: SampleCount is the number of running tasks, and there is none when none runs.
        for task in running:
            processor, memory = self._utilization(task)
            put("AWS/ECS", "CPUUtilization", processor, dimensions, moment)
            put("AWS/ECS", "MemoryUtilization", memory, dimensions, moment)

    def _publish_targets(self, moment: float) -> None:
        counts, self._targets.counts = self._targets.counts, {}
        for (kind, name), values in counts.items():
            if kind == "rule":
                for metric, value in values.items():
                    put("AWS/Events", metric, value, {"RuleName": name}, moment)
            else:
                put(
                    "AWS/Scheduler",
                    "InvocationAttemptCount",
                    values["Invocations"],
                    {"ScheduleGroup": "default"},
                    moment,
                )

    def _utilization(self, task: Mapping[str, Any]) -> tuple[float, float]:
        """Percent of the task's processor and memory, where the machine can tell."""
        seconds = memory = 0.0
        containers: list[str] = task.get("_docker_ids") or []
        for container in containers:
            pid = next((item.process.pid for item in self._containers.list() if item.id == container), None)
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()
            except OSError:
                continue
            total = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
            then, before = self._processor_seconds.get(pid or 0, (time.monotonic(), total))
            self._processor_seconds[pid or 0] = (time.monotonic(), total)
            seconds += (total - before) / max(time.monotonic() - then, 0.001)
            memory += int(fields[21]) * PAGE_BYTES
        share, limit = float(task.get("cpu") or 256) / 1024, float(task.get("memory") or 512) * 2**20
        return 100 * seconds / share, 100 * memory / limit


def put(namespace: str, name: str, value: float, dimensions: Mapping[str, str], moment: float) -> None:
    """Stores one datapoint as PutMetricData would."""
    point = {"Timestamp": moment, "Value": float(value), "Unit": "None", "Dimensions": dict(dimensions)}
    points = cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key(dict(dimensions))))
    points.append(point)
    del points[:-KEPT_POINTS]


def publish_embedded(line: str) -> None:
    """The metrics that CloudWatch Logs takes from a log line."""
    for metric in embedded_metrics(line):
        moment = min(metric.moment, time.time())
        for value in metric.values:
            put(metric.namespace, metric.name, value, metric.dimensions, moment)

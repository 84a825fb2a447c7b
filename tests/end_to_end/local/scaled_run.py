"""Workers under a known load, minute by minute: what they scale to in the local environment."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.end_to_end.local.foreman import Foreman

STACK = "local/Scaled"
DEADLINE_SECONDS = 60
LARGEST_BATCH = 10


class ScaledRun:
    """Drives deployed workers. Nothing happens between minutes, so counts are exact, however slow the machine is."""

    def __init__(self, aws: EmbeddedAws, assembly: Assembly, foreman: Foreman, *, workers: Iterable[str]) -> None:
        self._aws = aws
        self._foreman = foreman
        deployed = Deployed(aws, assembly)
        self._sqs, self._ecs = deployed.client("sqs"), deployed.client("ecs")
        self._cloudwatch = deployed.client("cloudwatch")
        self._cluster = deployed.physical_id(f"{STACK}/Cluster", type="AWS::ECS::Cluster")
        self._queues = {
            name: deployed.physical_id(f"{STACK}/{name}/Queue/Queue", type="AWS::SQS::Queue") for name in workers
        }
        self._services = {
            name: deployed.physical_id(f"{STACK}/{name}", type="AWS::ECS::Service").rsplit("/", 1)[-1]
            for name in self._queues
        }
        self._handled: Counter[str] = Counter()

    def play(self, load: Sequence[int], *, pace: int) -> dict[str, list[int]]:
        """The desired tasks of each worker at the end of each minute.

        load: The messages of each minute. They come at its beginning.
        pace: The messages that one task handles in a minute.
        """
        desired: dict[str, list[int]] = {name: [] for name in self._queues}
        self._wait_for_tasks(self._desired())
        for messages in load:
            for url in self._queues.values():
                self._send(url, messages)
            self._handled.update(self._foreman.let_work(pace))
            _wait("the workers' metrics", self._are_metrics_there)
            self._aws.post("minutes")
            wanted = self._desired()
            for name, count in wanted.items():
                desired[name].append(count)
            self._wait_for_tasks(wanted)
        return desired

    def _send(self, url: str, messages: int) -> None:
        for first in range(0, messages, LARGEST_BATCH):
            numbers = range(first, min(first + LARGEST_BATCH, messages))
            entries = [{"Id": str(number), "MessageBody": "{}"} for number in numbers]
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def _desired(self) -> dict[str, int]:
        return self._count("desiredCount")

    def _count(self, what: str) -> dict[str, int]:
        services = self._ecs.describe_services(cluster=self._cluster, services=list(self._services.values()))
        counts = {service["serviceName"]: service[what] for service in services["services"]}
        return {name: counts[service] for name, service in self._services.items()}

    def _wait_for_tasks(self, wanted: Mapping[str, int]) -> None:
        """Until those that are wanted work, and no others do."""
        present = {f"local-Scaled/{name}": count for name, count in wanted.items()}
        _wait(f"the tasks {wanted}", lambda: self._foreman.present() == present)
        _wait(f"ECS to know the tasks {wanted}", lambda: self._count("runningCount") == wanted)

    def _are_metrics_there(self) -> bool:
        """What workers log becomes metrics a moment later."""
        now = datetime.now(UTC)
        queries = [
            {
                "Id": f"work{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "FargateWorkers",
                        "MetricName": "WorkSeconds",
                        "Dimensions": [{"Name": "Worker", "Value": worker}],
                    },
                    "Period": 60,
                    "Stat": "SampleCount",
                },
            }
            for number, worker in enumerate(self._handled)
        ]
        results = self._cloudwatch.get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(hours=2), EndTime=now
        )["MetricDataResults"]
        return [sum(result["Values"]) for result in results] == list(self._handled.values())


def _wait(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited in vain for {what}.")
        time.sleep(0.02)

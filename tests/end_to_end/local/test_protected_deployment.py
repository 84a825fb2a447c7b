"""A deployment beside a trickle: real workers in the embedded AWS, which stops no protected task."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.local import embedded_aws, virtual_environment
from fargate_workers_toolkit.local.scenarios.deployed import Deployed
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates.assembly import Assembly

pytestmark = pytest.mark.local

Client = Callable[[str], Any]

IMAGE = "workers:0123abcd"
WORKER_IMAGE = Path(__file__).parents[3] / "worker_image"

PROGRAM = """
import os, time
from pathlib import Path
from fargate_workers_runtime import run

def handle(message):
    while message.body["hold"] and Path(message.body["hold"]).exists():
        time.sleep(0.05)

run(handle)
"""


@pytest.fixture
def client() -> Iterator[Client]:
    workspace = Workspace(Path(__file__).parents[3], name="test-protection", assembly_name="test-protection.out")
    shutil.rmtree(workspace.assembly, ignore_errors=True)
    asset = workspace.assembly / "asset"
    asset.mkdir(parents=True)
    (asset / "Dockerfile").write_text(
        f'FROM python\nENV PYTHONPATH={WORKER_IMAGE}\nENTRYPOINT ["python", "worker.py"]\n'
    )
    (asset / "worker.py").write_text(PROGRAM)
    images = {"dockerImages": {IMAGE.partition(":")[2]: {"source": {"directory": "asset"}}}}
    (workspace.assembly / "workers.assets.json").write_text(json.dumps(images))
    aws = embedded_aws.start(
        workspace,
        interpreter=virtual_environment.prepare(workspace.venv),
        region="eu-west-1",
        seconds_per_minute=None,
        port=embedded_aws.find_port(None),
        owned=True,
    )
    yield Deployed(aws, Assembly(stacks=())).client
    embedded_aws.stop(workspace)


class Service:
    """One task of a worker whose drain takes a second, so that a handler of a second asks for protection."""

    def __init__(self, client: Client) -> None:
        self._ecs, self._sqs = client("ecs"), client("sqs")
        self._queue: str = self._sqs.create_queue(QueueName="orders")["QueueUrl"]
        environment = {
            "WORKER_NAME": "orders",
            "QUEUE_URL": self._queue,
            "HEALTH_FILE": "/tmp/healthy",
            "RECEIVE_WAIT_SECONDS": "1",
            "STOP_TIMEOUT_SECONDS": "16",
            "MAX_PROCESSING_SECONDS": "60",
        }
        container = {
            "name": "worker",
            "image": IMAGE,
            "essential": True,
            "stopTimeout": 16,
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
        }
        self._ecs.register_task_definition(
            family="orders", containerDefinitions=[container], volumes=[{"name": "tmp"}], networkMode="awsvpc"
        )
        self._ecs.create_cluster(clusterName="cluster")
        self._ecs.create_service(cluster="cluster", serviceName="orders", taskDefinition="orders", desiredCount=1)
        self.wait_for(lambda: len(self.tasks()) == 1 and self.rollout() == "COMPLETED")

    def send(self, hold: str = "") -> None:
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=json.dumps({"hold": hold}))

    def deploy(self) -> None:
        self._ecs.update_service(cluster="cluster", service="orders", forceNewDeployment=True)

    def rollout(self) -> str:
        (service,) = self._ecs.describe_services(cluster="cluster", services=["orders"])["services"]
        (primary,) = [each for each in service["deployments"] if each["status"] == "PRIMARY"]
        return primary["rolloutState"]

    def tasks(self) -> set[str]:
        arns = self._ecs.list_tasks(cluster="cluster", serviceName="orders", desiredStatus="RUNNING")["taskArns"]
        tasks = self._ecs.describe_tasks(cluster="cluster", tasks=arns)["tasks"] if arns else []
        return {task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"}

    def is_protected(self, task: str) -> bool:
        (state,) = self._ecs.get_task_protection(cluster="cluster", tasks=[task])["protectedTasks"]
        return state["protectionEnabled"]

    def protect(self, task: str) -> list[dict[str, str]]:
        return self._ecs.update_task_protection(cluster="cluster", tasks=[task], protectionEnabled=True)["failures"]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, beside a trickle of short work."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within a minute"
            self.send()
            time.sleep(0.1)  # the trickle's pace


def test_a_deployment_under_a_trickle_waits_for_work_that_would_outlive_the_stop_and_for_nothing_else(
    client: Client, tmp_path: Path
) -> None:
    service = Service(client)
    (first,) = service.tasks()

    service.deploy()
    service.wait_for(lambda: service.rollout() == "COMPLETED" and first not in service.tasks())
    (second,) = service.tasks()
    assert not service.is_protected(second)

    hold = tmp_path / "hold"
    hold.touch()
    service.send(hold=os.fspath(hold))
    service.wait_for(lambda: service.is_protected(second))
    service.deploy()
    service.wait_for(lambda: len(service.tasks()) == 2)
    (third,) = service.tasks() - {second}
    failure = {"arn": third, "reason": "DEPLOYMENT_BLOCKED"}
    assert service.protect(third) == [failure]
    assert service.rollout() == "IN_PROGRESS"
    assert service.tasks() == {second, third}

    hold.unlink()
    service.wait_for(lambda: service.rollout() == "COMPLETED" and service.tasks() == {third})

"""A function of an image runs locally: an event source mapping feeds the handler of a QueueFunction."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_toolkit.console import Progress
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.running_system import RunningSystem
from fargate_workers_toolkit.local.workspace import Workspace

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[3]

APP = """
import sys

sys.path[:0] = {path}

from aws_cdk import App, Duration, Stack
from fargate_workers import QueueFunction, worker_image

app = App()
stack = Stack(app, "Shop")
image = worker_image("image")
for name, fifo in (("Orders", False), ("Ordered", True)):
    QueueFunction(
        stack, name, image=image, command="orders", fifo=fifo, max_processing=Duration.seconds(5), max_attempts=3
    )
app.synth()
"""

HANDLER = """
import sys

from fargate_workers_runtime import Message, PoisonMessage, lambda_handler


def handle(message: Message) -> None:
    number, attempt = message.body["id"], message.attempt
    sys.stdout.write(f"handled {number} {attempt}\\n")  # in one piece: ten threads write
    match message.body.get("does"):
        case "poison":
            raise PoisonMessage("unknown currency")
        case "fail once" if attempt == 1:
            raise RuntimeError("later")
        case _:
            pass


handler = lambda_handler(handle, idempotency_key="/id")
"""

DOCKERFILE = """
FROM python:3.13
ENV PYTHONPATH=/app
WORKDIR /app
COPY . .
CMD ["python", "-m", "orders"]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("shop")
    image = folder / "image"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "worker_image" / "fargate_workers_runtime", image / "fargate_workers_runtime", ignore=ignored
    )
    (image / "Dockerfile").write_text(DOCKERFILE)
    (image / "orders.py").write_text(HANDLER)
    path = [str(ROOT / "constructs"), str(ROOT / "lambda_src")]
    (folder / "app.py").write_text(APP.replace("{path}", repr(path)))
    (folder / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} app.py"}))
    (folder / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    (folder / ".local").mkdir()
    (folder / ".local" / "venv").symlink_to(ROOT / ".local" / "venv", target_is_directory=True)
    return Workspace(folder)


@pytest.fixture(scope="module")
def aws(workspace: Workspace) -> Iterator[EmbeddedAws]:
    yield lifecycle.up(workspace, progress=Progress(quiet=True), owned=True)
    lifecycle.down(workspace, progress=Progress(quiet=True))


@pytest.fixture(scope="module")
def system(workspace: Workspace, aws: EmbeddedAws) -> RunningSystem:
    return lifecycle.system(workspace, aws, progress=Progress(quiet=True))


class Queues:
    """The queues of one function."""

    def __init__(self, system: RunningSystem, name: str) -> None:
        self._sqs = system.client("sqs")
        self._fifo = name == "Ordered"
        self.url, self.letters_url = (
            system.physical_id(f"Shop/{name}/Queue/{queue}", type="AWS::SQS::Queue")
            for queue in ("Queue", "DeadLetterQueue")
        )

    def send(self, number: int, does: str = "", *, group: str = "g") -> None:
        body = json.dumps({"id": str(number), "does": does})
        grouped = {"MessageGroupId": group} if self._fifo else {}
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body, **grouped)

    def is_empty(self) -> bool:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        counts = (attributes[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed"))
        return not any(int(count) for count in counts)

    def letters(self) -> list[tuple[str, str]]:
        found = self._sqs.receive_message(
            QueueUrl=self.letters_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (json.loads(each["Body"])["id"], each["MessageAttributes"]["dlq.reason"]["StringValue"])
            for each in found.get("Messages", [])
        ]


def handled(workspace: Workspace, name: str) -> list[tuple[str, int]]:
    """The messages that handlers of a function began, and the number of the attempt, in order."""
    lines = [
        line
        for log in (workspace.run / "containers").glob(f"{name}-*/log")
        for line in log.read_text().splitlines()
        if line.startswith("handled ")
    ]
    return [(line.split()[1], int(line.split()[2])) for line in lines]


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.1)  # a poll's pace


def test_messages_are_handled_tried_again_and_dead_lettered_with_their_reason(
    system: RunningSystem, workspace: Workspace
) -> None:
    queues = Queues(system, "Orders")
    for number in range(25):
        queues.send(number, {3: "poison", 4: "fail once"}.get(number, ""))
    wait(queues.is_empty)
    assert queues.letters() == [("3", "unknown currency")]
    begun = handled(workspace, "Orders")
    assert sorted(int(number) for number, _ in begun) == sorted([*range(25), 4])
    assert ("4", 2) in begun


def test_a_group_keeps_its_order_while_its_first_fails(system: RunningSystem, workspace: Workspace) -> None:
    queues = Queues(system, "Ordered")
    for number in range(6):
        queues.send(number, "fail once" if number == 1 else "", group="a")
    wait(queues.is_empty)
    numbers = [number for number, _ in handled(workspace, "Ordered")]
    assert list(dict.fromkeys(numbers)) == ["0", "1", "2", "3", "4", "5"]
    assert numbers.count("1") == 2


def test_its_metrics_arrive(system: RunningSystem, aws: EmbeddedAws) -> None:
    client = system.client("cloudwatch")
    names: Mapping[str, Any] = {
        metric["MetricName"]: metric for metric in client.list_metrics(Namespace="FargateWorkers")["Metrics"]
    }
    assert {"MessagesHandled", "HandlerSeconds"} <= names.keys()
    lambda_names = {each["MetricName"] for each in client.list_metrics(Namespace="AWS/Lambda")["Metrics"]}
    assert {"Invocations", "Errors"} <= lambda_names

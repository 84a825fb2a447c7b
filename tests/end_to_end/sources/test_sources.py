"""Every source but a queue of a service runs locally, and is looked after by the same commands: functions and brokers.

An event source mapping feeds the handler of a QueueFunction; real brokers feed real workers.
"""

import json
import shlex
import shutil
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import Result
from confluent_kafka import Producer
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.console import Progress
from fargate_workers_toolkit.local import lifecycle
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.running_system import RunningSystem
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.operations.places import Aws, find_place
from fargate_workers_toolkit.operations.workers import a_service, find_worker, service_of, task_settings
from tests.patience import until

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[3]
Typed = Callable[[str], Result]

APP = """
import sys

sys.path[:0] = {path}

from aws_cdk import App, Duration, Stack
from fargate_workers import (
    Brokers, KafkaCluster, KafkaTopic, QueueFunction, QueueWorker, RedisCache, RedisList, RedisStream, Scaling,
    WorkerCluster, worker_image
)

app = App()
stack = Stack(app, "Shop")
image = worker_image("image")
for name, fifo in (("Orders", False), ("Ordered", True)):
    QueueFunction(
        stack, name, image=image, command="orders", fifo=fifo, max_processing=Duration.seconds(5), max_attempts=3
    )
zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
cluster = WorkerCluster(stack, "Cluster", network="nat", availability_zones=zones)
kafka = KafkaCluster(stack, "Kafka", cluster=cluster, brokers=Brokers.express("m7g.large", count=3))
cache = RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction")
for name, source in (
    ("Topic", KafkaTopic(stack, "Events", kafka=kafka, partitions=2)),
    ("Stream", RedisStream(stack, "Clicks", cache=cache)),
    ("List", RedisList(stack, "Jobs", cache=cache)),
):
    scaling = Scaling.for_latency(acceptable_latency=Duration.minutes(5), min_tasks=1, max_tasks=2)
    QueueWorker(
        stack, name, cluster=cluster, image=image, source=source, scaling=scaling, command=["python", "-m", "worker"]
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

WORKER = """
from pathlib import Path

from fargate_workers_runtime import Message, PoisonMessage, run


def handle(message: Message) -> None:
    if not Path({cured}).exists():
        raise PoisonMessage("unknown currency")
    with Path({done}).open("a") as done:
        done.write(message.body["id"] + "\\n")


if __name__ == "__main__":
    run(handle)
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
    worker = WORKER.replace("{cured}", repr(str(folder / "cured"))).replace("{done}", repr(str(folder / "done")))
    (image / "worker.py").write_text(worker)
    path = [str(ROOT / "constructs"), str(ROOT / "lambda_src")]
    (folder / "app.py").write_text(APP.replace("{path}", repr(path)))
    (folder / "cdk.json").write_text(json.dumps({"app": shlex.join([sys.executable, "app.py"])}))
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
    until(condition, every=0.1)


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


@pytest.fixture
def typed(system: RunningSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    monkeypatch.chdir(system.workspace.root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(command: str) -> Result:
        program, *arguments = shlex.split(command)
        assert program == "fargate-workers"
        return CliRunner(env={"COLUMNS": "80"}).invoke(app, arguments)

    return run


def here(system: RunningSystem) -> Aws:
    return Aws(find_place("Shop", folder=system.workspace.root, local=True))


def service(system: RunningSystem, worker: str) -> Any:
    aws = here(system)
    return service_of(aws, a_service(find_worker(aws, worker), otherwise="it is none"))


def variables_of(system: RunningSystem, worker: str) -> dict[str, str]:
    return dict(task_settings(here(system), service(system, worker).task_definition).variables)


def send(system: RunningSystem, worker: str, ids: list[str]) -> None:
    variables = variables_of(system, worker)
    bodies = [json.dumps({"id": each}) for each in ids]
    if worker == "Topic":  # one key, and so one partition
        answer = system.client("kafka").get_bootstrap_brokers(ClusterArn=variables["KAFKA_CLUSTER_ARN"])
        producer: Any = Producer({"bootstrap.servers": answer["BootstrapBrokerStringSaslIam"], "acks": "all"})
        for body in bodies:
            producer.produce(variables["KAFKA_TOPIC"], key="ada", value=body)
        producer.flush(60)
        return
    client: Any = redis.Redis(
        host=variables["BROKER_REDIS_HOST"],
        port=int(variables["BROKER_REDIS_PORT"]),
        ssl=True,
        ssl_ca_certs=str(system.workspace.certificate_authority),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        username=variables["BROKER_REDIS_USER"],
        password="any",
    )
    for body in bodies:
        if worker == "Stream":
            client.xadd(variables["STREAM_NAME"], {"body": body})
        else:
            client.lpush(variables["LIST_NAME"], body)


def dead(typed: Typed, worker: str, where: str = "receives >= 0") -> int:
    listed = typed(f"fargate-workers dead-letters list Shop {worker} --local --where {shlex.quote(where)} --json")
    return json.loads(listed.stdout)[0]["letters"]


def state_of(typed: Typed, worker: str) -> Any:
    (state,) = json.loads(typed(f"fargate-workers status Shop {worker} --local --json").stdout)
    return state


@pytest.mark.parametrize("worker", ["Topic", "Stream", "List"])
def test_letters_are_shown_replayed_and_purged_and_their_worker_paused(
    system: RunningSystem, typed: Typed, worker: str
) -> None:
    root = system.workspace.root
    cured, done = root / "cured", root / "done"
    cured.unlink(missing_ok=True)
    send(system, worker, [f"{worker}-{number}" for number in range(3)])
    until(lambda: dead(typed, worker) == 3, every=0.5)

    look = typed(f"fargate-workers dead-letters list Shop {worker} --local").stdout.splitlines()[-1]
    shown = typed(look.removeprefix("Look at some: ") + " --limit 2 --values")
    planned = typed(f"fargate-workers dead-letters replay Shop {worker} --local --all --dry-run --json")
    told = typed(f"fargate-workers tail Shop {worker} --local --text poison --since 1h")
    paused = typed(f"fargate-workers pause Shop {worker} --local --why 'a look at it'")
    until(lambda: service(system, worker).running == 0, every=0.2)
    cured.touch()
    replayed = typed(f"fargate-workers dead-letters replay Shop {worker} --local --all --limit 2")
    waiting = state_of(typed, worker)
    purged = typed(
        f"fargate-workers dead-letters purge Shop {worker} --local --where 'reason == \"unknown currency\"' --json"
    )
    resumed = typed(paused.stdout.splitlines()[-1].removeprefix("Resume it with: "))

    assert "unknown currency" in shown.stdout
    assert f'"id": "{worker}-' in shown.stdout
    assert json.loads(planned.stdout)["would_replay"] == 3
    assert "unknown currency" in told.stdout
    assert "Replayed 2 letters of" in replayed.stdout, replayed.output
    # A task that was just stopped may hold one, and gives it back.
    assert waiting["depth"]["waiting"] + waiting["depth"]["in_flight"] == 2
    assert (waiting["dead_letters"], waiting["pause"]["why"]) == (1, "a look at it")
    assert json.loads(purged.stdout)["deleted"] == 1
    assert f"{worker} is resumed" in resumed.stdout, resumed.output
    until(lambda: done.exists() and done.read_text().count(f"{worker}-") == 2, every=0.2)
    assert dead(typed, worker) == 0


def test_a_function_is_looked_after_by_the_same_commands(system: RunningSystem, typed: Typed) -> None:
    queues = Queues(system, "Orders")
    for number in (901, 902):
        queues.send(number, "poison")
    ours = 'body.id in ("901", "902")'
    until(lambda: dead(typed, "Orders", ours) == 2, every=0.5)

    told = typed("fargate-workers tail Shop Orders --local --text poison --since 1h")
    paused = json.loads(typed("fargate-workers pause Shop Orders --local --why 'a look at it' --json").stdout)
    shown = typed("fargate-workers dead-letters show Shop Orders --local --where 'body.id == \"901\"'")
    replayed = typed(shown.stdout.splitlines()[-1].removeprefix("Once the cause is gone: "))
    state = state_of(typed, "Orders")
    purged = typed("fargate-workers dead-letters purge Shop Orders --local --where 'body.id == \"902\"' --json")
    resumed = typed("fargate-workers resume Shop Orders --local")

    assert "unknown currency" in told.stdout, told.output
    assert "Replayed 1 letter of" in replayed.stdout, replayed.output
    assert (state["depth"]["waiting"], state["pause"]["why"]) == (1, "a look at it")
    assert json.loads(purged.stdout)["deleted"] == 1
    assert (paused["worker"], paused["paused"]) == ("Shop/Orders", True)
    assert "its event source mapping is enabled" in resumed.stdout, resumed.output
    until(lambda: dead(typed, "Orders", ours) == 1, every=0.5)  # the cause is still there


def test_every_worker_is_planned_for_from_what_its_source_says(typed: Typed) -> None:
    """The observer of the cache has to reach it, and what it logs has to become metrics."""
    for worker in ("Topic", "Stream", "List"):
        until(lambda worker=worker: state_of(typed, worker)["plan"] is not None, every=0.5)

"""The function that redrives dead letters: what it may do, where it runs, and what it is packed from."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from fargate_workers.alarms.alerts import Alerts
from fargate_workers.cluster.python_function import RUNTIME
from fargate_workers.cluster.worker_cluster import WorkerCluster
from fargate_workers.operations.dashboard import Dashboard
from fargate_workers.operations.dead_letter_redrive import DeadLetterRedrive
from fargate_workers.sources.sqs.worker_queue import WorkerQueue
from fargate_workers.stores.redis_cache import RedisCache
from fargate_workers.workers.queue_worker import QueueWorker

Resources = dict[str, dict[str, Any]]


class Synthesized:
    def __init__(self, context: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        app = App(context=context, outdir=str(folder))
        stack, bare = Stack(app, "Ours"), Stack(app, "Bare")
        image = ecs.ContainerImage.from_registry("example.com/worker")
        alerts = Alerts(stack, "Alerts")
        cluster = WorkerCluster(stack, "Cluster", network="endpoints", alerts=alerts, reserve_concurrency=True)
        secret = WorkerQueue(stack, "SecretQueue", encryption_key=kms.Key(stack, "Key"))
        orders = QueueWorker(stack, "Orders", cluster=cluster, image=image)
        secrets = QueueWorker(stack, "Secrets", cluster=cluster, image=image, source=secret)
        for prefix in ("in/", "out/"):
            orders.on_object_created(s3.Bucket(stack, f"Files{prefix[:-1]}"), prefix=prefix)
        self.orders = orders
        redrive = DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[orders, secrets])
        cache = RedisCache(stack, "Cache", cluster=cluster)
        Dashboard(stack, "Dashboard", workers=[orders, secrets], cache=cache, redrives=[redrive])
        public = WorkerCluster(bare, "Cluster", network="public")
        self.lone = QueueWorker(bare, "Lone", cluster=public, image=image)
        self.public = public
        DeadLetterRedrive(bare, "Redrive", cluster=public, workers=[self.lone], messages_per_second=50)
        self.resources: Resources = Template.from_stack(stack).to_json()["Resources"]
        self.bare: Resources = Template.from_stack(bare).to_json()["Resources"]


@pytest.fixture(scope="module")
def synthesized(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    return Synthesized(context, tmp_path_factory.mktemp("cdk.out"))


def one(found: Resources, kind: str, name: str = "") -> dict[str, Any]:
    (properties,) = (r["Properties"] for n, r in found.items() if r["Type"] == kind and n.startswith(name))
    return dict(properties)


def function(found: Resources) -> dict[str, Any]:
    return one(found, "AWS::Lambda::Function", "Redrive")


def statements(found: Resources) -> list[dict[str, Any]]:
    return list(one(found, "AWS::IAM::ManagedPolicy", "RedrivePolicy")["PolicyDocument"]["Statement"])


def test_the_function_is_traced_and_has_its_own_log_and_if_wanted_its_own_execution(synthesized: Synthesized) -> None:
    properties = function(synthesized.resources)

    assert properties["ReservedConcurrentExecutions"] == 1
    assert "ReservedConcurrentExecutions" not in function(synthesized.bare)
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert "RedriveLogs" in json.dumps(properties["LoggingConfig"])
    assert (properties["Timeout"], properties["MemorySize"], properties["Architectures"]) == (60, 256, ["arm64"])
    assert "Undelivered" in json.dumps(properties["DeadLetterConfig"])


def test_the_runtime_is_the_newest_python_the_cdk_knows(synthesized: Synthesized) -> None:
    names = [name for name in dir(lambda_.Runtime) if name.startswith("PYTHON_3_")]
    newest = max(names, key=lambda name: int(name.rsplit("_", 1)[1]))

    assert newest.replace("PYTHON_3_", "python3.") == RUNTIME
    assert function(synthesized.resources)["Runtime"] == RUNTIME


def test_the_function_runs_in_the_clusters_network_and_calls_out_by_https_only(synthesized: Synthesized) -> None:
    network = function(synthesized.resources)["VpcConfig"]
    group = one(synthesized.resources, "AWS::EC2::SecurityGroup", "RedriveSecurityGroup")

    assert len(network["SubnetIds"]) == 2
    assert "RedriveSecurityGroup" in json.dumps(network["SecurityGroupIds"])
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    assert "SecurityGroupIngress" not in group


def test_in_a_public_network_the_function_stays_outside_where_it_can_reach_aws(synthesized: Synthesized) -> None:
    assert "VpcConfig" not in function(synthesized.bare)
    assert not any("ec2:" in json.dumps(statement) for statement in statements(synthesized.bare))


def test_it_knows_each_queue_by_its_workers_name(synthesized: Synthesized) -> None:
    variables = function(synthesized.resources)["Environment"]["Variables"]
    parts = variables["QUEUES"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else part["Fn::GetAtt"][0] for part in parts)

    queues = json.loads(text)
    assert set(queues) == {"Orders", "Secrets"}
    queue, dead_letter_queue = queues["Orders"]
    assert "DeadLetter" in dead_letter_queue
    assert "DeadLetter" not in queue


def test_the_rate_is_5_a_second_unless_you_say_otherwise(synthesized: Synthesized) -> None:
    assert function(synthesized.resources)["Environment"]["Variables"]["MESSAGES_PER_SECOND"] == "5"
    assert function(synthesized.bare)["Environment"]["Variables"]["MESSAGES_PER_SECOND"] == "50"


def test_it_may_move_from_these_dead_letter_queues_into_these_queues(synthesized: Synthesized) -> None:
    move, send, key, *_ = statements(synthesized.resources)

    assert move["Action"] == [
        "sqs:StartMessageMoveTask",
        "sqs:ListMessageMoveTasks",
        "sqs:CancelMessageMoveTask",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
    ]
    assert len(move["Resource"]) == 2
    assert all("DeadLetter" in json.dumps(resource) for resource in move["Resource"])
    assert send["Action"] == ["sqs:SendMessage"]
    assert not any("DeadLetter" in json.dumps(resource) for resource in send["Resource"])
    assert key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_it_may_use_the_dead_letter_queues_own_key_as_well() -> None:
    stack = Stack(App(), "Keys")
    cluster = WorkerCluster(stack, "Cluster", network="public")
    letters = sqs.Queue(stack, "Letters", encryption=sqs.QueueEncryption.KMS, encryption_master_key=kms.Key(stack, "B"))
    queue = sqs.Queue(
        stack,
        "Queue",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        dead_letter_queue=sqs.DeadLetterQueue(queue=letters, max_receive_count=100),
    )
    image = ecs.ContainerImage.from_registry("example.com/worker")
    worker = QueueWorker(stack, "Orders", cluster=cluster, image=image, source=queue)
    DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[worker])

    allowed = statements(Template.from_stack(stack).to_json()["Resources"])
    (key,) = [each["Resource"] for each in allowed if "kms:Decrypt" in each["Action"]]
    assert key[0]["Fn::GetAtt"][0].startswith("B")


def test_a_failure_is_told(synthesized: Synthesized) -> None:
    assert one(synthesized.resources, "AWS::CloudWatch::Alarm", "RedriveRedriveFailed")["AlarmActions"]


def test_without_workers_or_with_a_rate_sqs_refuses_there_is_no_redrive(synthesized: Synthesized) -> None:
    stack = Stack()

    with pytest.raises(ValueError, match=r"has no workers; give it at least one\."):
        DeadLetterRedrive(stack, "A", cluster=synthesized.public, workers=[])
    with pytest.raises(ValueError, match=r"messages_per_second=501; SQS moves 1 to 500\."):
        DeadLetterRedrive(stack, "B", cluster=synthesized.public, workers=[synthesized.lone], messages_per_second=501)
    with pytest.raises(ValueError, match=r"has two workers of one name"):
        DeadLetterRedrive(stack, "C", cluster=synthesized.public, workers=[synthesized.lone, synthesized.lone])


def test_the_asset_holds_the_functions_own_source_and_nothing_else(synthesized: Synthesized) -> None:
    key = function(synthesized.resources)["Code"]["S3Key"]
    name = key["Fn::Sub"] if isinstance(key, dict) else key
    packed = synthesized.folder / f"asset.{Path(name).stem}"

    found = {str(path.relative_to(packed)) for path in packed.rglob("*") if path.is_file()}
    source = Path(__file__).parents[2] / "lambda_src"
    assert found == {str(path.relative_to(source)) for path in (source / "fargate_workers_redrive").rglob("*.py")}


def widgets(found: Resources) -> list[dict[str, Any]]:
    body = one(found, "AWS::CloudWatch::Dashboard")["DashboardBody"]
    text = "".join(part if isinstance(part, str) else "token" for part in body["Fn::Join"][1])
    return list(json.loads(text)["widgets"])


def test_the_dashboard_has_alarms_on_top_a_row_per_worker_and_the_cache(synthesized: Synthesized) -> None:
    rows: dict[int, list[str]] = {}
    for widget in widgets(synthesized.resources):
        rows.setdefault(widget["y"], []).append(widget["properties"]["title"])

    assert list(rows.values()) == [
        ["Alarms"],
        ["Orders: queue", "Orders: tasks", "Orders: messages"],
        ["Secrets: queue", "Secrets: tasks", "Secrets: messages"],
        ["Cache: load (%)", "Cache: connections", "Cache: evictions and lag"],
    ]


def test_the_dashboard_shows_every_alarm_that_notifies_someone(synthesized: Synthesized) -> None:
    notifying = [
        name
        for name, resource in synthesized.resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"].get("OKActions")
    ]
    (status,) = (widget for widget in widgets(synthesized.resources) if widget["type"] == "alarm")
    kinds = {re.sub(r"\d*[0-9A-F]{8}$", "", name) for name in notifying}

    assert len(status["properties"]["alarms"]) == len(notifying)
    assert any(kind.endswith("UndeliveredEvents") for kind in kinds)
    assert any(kind.endswith("PlannerSilent") for kind in kinds)


def test_the_alarm_of_each_rule_for_objects_is_one_of_the_workers(synthesized: Synthesized) -> None:
    assert {"InvocationsFailed", "InvocationsFailed2"} <= set(synthesized.orders.alarms)


def test_the_dashboards_widgets_fill_their_row_without_overlap(synthesized: Synthesized) -> None:
    rows: dict[int, list[tuple[int, int]]] = {}
    for widget in widgets(synthesized.resources):
        rows.setdefault(widget["y"], []).append((widget["x"], widget["width"]))

    for places in rows.values():
        assert sum(width for _, width in places) == 24
        assert [x for x, _ in places] == [sum(width for _, width in places[:n]) for n in range(len(places))]


def test_the_dashboard_shows_every_alarm_of_workers_and_cache(synthesized: Synthesized) -> None:
    alarms = [n for n, r in synthesized.resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"]
    shown = widgets(synthesized.resources)[0]["properties"]["alarms"]

    watched = [name for name in alarms if name.startswith(("Orders", "Secrets", "Cache")) and "Scal" not in name]
    assert len(shown) >= len(watched) > 0


def test_a_workers_row_shows_queue_age_dead_letters_tasks_and_outcomes(synthesized: Synthesized) -> None:
    orders = [w["properties"] for w in widgets(synthesized.resources) if w["properties"]["title"].startswith("Orders")]
    labels = {metric[-1]["label"] for properties in orders for metric in properties["metrics"]}

    assert {"waiting", "in flight", "dead letters", "oldest (s)", "desired", "running"} <= labels
    assert {"handled", "failed", "poisoned", "duplicate", "fenced"} <= labels
    assert {"handler p95 (s)", "work p95 (s)"} <= labels

"""What the sources of Kafka and Redis set in a container is what the runtime's brokers read: both sides, together."""

import json
from typing import Any, get_args

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import (
    KafkaCluster,
    KafkaTopic,
    QueueWorker,
    RedisCache,
    RedisList,
    RedisStream,
    Scaling,
    WorkerCluster,
)
from fargate_workers.sources.kafka import GroupProtocol, Start
from fargate_workers.sources.redis import Delivery, keys
from fargate_workers_observer.measuring import List, Stream, source_of
from fargate_workers_runtime.brokers.kafka import settings as kafka_settings
from fargate_workers_runtime.brokers.kafka.settings import KafkaSettings
from fargate_workers_runtime.brokers.redis_lists import settings as list_settings
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.redis import companion, connect_broker, hash_tag
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import RareCountName
from tests.contract.read_environment import ReadEnvironment
from tests.doubles.stack_facts import Facts, image, synthesize

ARN = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"
# Read at the start of every process, and by the health command.
AT_THE_START = {"WORKER_NAME", "HEALTH_FILE", "STOP_TIMEOUT_SECONDS"}
FROM_FARGATE = {"AWS_REGION": "eu-west-1"}
# Of other brokers, and of options that no worker here has.
OF_OTHERS = ("QUEUE", "DEAD_LETTER_QUEUE", "RATE", "MAX_MESSAGES", "MAX_MESSAGE_BYTES", "CLAIM", "RECEIVE")
# Right as they are, so no construct sets them; a worker's own `environment` may.
LEFT_TO_THE_RUNTIME = {"METRICS_SECONDS", "RECEIVERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SESSION_TIMEOUT_SECONDS"}
# Of a pod on Kubernetes alone, and of the manifests that are exported for one.
OF_PODS = {"KUBERNETES_SERVICE_HOST", "UNTIL_EMPTY"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task's role gives it; nothing is signed here, let alone sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(scope="module")
def facts() -> Facts:
    def build(stack: Stack) -> None:
        cluster = WorkerCluster(stack, "Cluster", network="nat")
        group = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
        kafka = KafkaCluster.existing(stack, "Events", cluster_arn=ARN, security_group=group)
        cache = RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction")
        topic = KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=24)
        sources: dict[str, Any] = {
            "Plain": topic,
            "All": topic.for_group("all", start="latest", ordered=False, retry_topic=True, protocol="consumer"),
            "Stream": RedisStream(stack, "Parcels", cache=cache, retain=Duration.days(1), max_length=5_000),
            "List": RedisList(stack, "Jobs", cache=cache),
            "Hints": RedisList(stack, "HintList", cache=cache, delivery="at-most-once"),
        }
        for name, source in sources.items():
            QueueWorker(
                stack, name, cluster=cluster, image=image(), source=source, scaling=Scaling.for_latency(max_tasks=4)
            )

    return synthesize({"stack": build})["stack"]


def variables(facts: Facts, worker: str) -> dict[str, str]:
    """What the task definition sets; a value known only at deployment is a placeholder that any reader accepts."""
    for task in facts.all("ECS::TaskDefinition"):
        found = {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}
        if found["WORKER_NAME"] == f"stack/{worker}":
            return {name: value if isinstance(value, str) else "6380" for name, value in found.items()}
    raise AssertionError(worker)


def read(environment: ReadEnvironment, worker: str) -> None:
    Settings.from_environment(environment)
    if worker in ("Plain", "All"):
        KafkaSettings.from_environment(environment)
    else:
        (ListSettings if worker in ("List", "Hints") else StreamSettings).from_environment(environment)
        connect_broker(environment, timeout=1.0)


@pytest.mark.parametrize("worker", ["Plain", "All", "Stream", "List", "Hints"])
def test_the_runtime_reads_every_variable_that_is_set(facts: Facts, worker: str) -> None:
    environment = ReadEnvironment(variables(facts, worker) | FROM_FARGATE)

    read(environment, worker)

    # The stream's length is for its producer.
    assert set(environment) - set(FROM_FARGATE) - AT_THE_START - environment.read <= {"STREAM_MAX_LENGTH"}


@pytest.mark.parametrize("worker", ["All", "Stream", "List"])
def test_every_variable_that_the_runtime_reads_can_be_set(facts: Facts, worker: str) -> None:
    environment = ReadEnvironment(variables(facts, worker) | FROM_FARGATE)

    read(environment, worker)

    unset = {name for name in environment.read - set(environment) if not name.startswith(OF_OTHERS)}
    # Kafka leases nothing, and counts no deliveries.
    of_leases = {"VISIBILITY_TIMEOUT_SECONDS", "MAX_RECEIVE_COUNT"} if worker == "All" else set[str]()
    assert unset - LEFT_TO_THE_RUNTIME - OF_PODS - of_leases == set()


def test_options_become_settings(facts: Facts) -> None:
    plain, everything = (KafkaSettings.from_environment(variables(facts, worker)) for worker in ("Plain", "All"))
    assert plain == KafkaSettings(
        topic="orders", group="plain", cluster_arn=ARN, dead_letter_topic="orders.plain.dead-letters"
    )
    assert (everything.start, everything.ordered, everything.group_protocol) == ("latest", False, "consumer")
    assert everything.retry_topic == "orders.all.retries"
    stream = StreamSettings.from_environment(variables(facts, "Stream"))
    assert stream == StreamSettings(
        name="{parcels}", group="stream", dead_letters="{parcels}:dead", retain=86_400, max_length=5_000
    )
    assert ListSettings.from_environment(variables(facts, "List")) == ListSettings(
        name="{jobs}", dead_letters="{jobs}:dead"
    )
    assert ListSettings.from_environment(variables(facts, "Hints")).delivery == "at-most-once"
    assert Settings.from_environment(variables(facts, "Stream")).lease == 120


def test_both_sides_know_the_same_choices() -> None:
    assert get_args(Start) == get_args(kafka_settings.Start)
    assert get_args(GroupProtocol) == get_args(kafka_settings.GroupProtocol)
    assert get_args(Delivery) == get_args(list_settings.DeliveryKind)


def test_keys_beside_a_stream_or_a_list_have_the_runtimes_names() -> None:
    key = keys.key_of("Orders", "orders")

    assert keys.later_of(key, "apply") == companion(key, "later:apply")
    assert keys.leases_of(key) == companion(key, "leases")
    assert {hash_tag(each) for each in (key, keys.dead_letters_of(key), keys.later_of(key, "apply"))} == {"orders"}


def test_the_observer_reads_what_the_constructs_name(facts: Facts) -> None:

    (rule,) = (each for each in facts.all("Events::Rule") if each["Targets"][0]["Id"] == "Observer")
    sources = [source_of(fields) for fields in json.loads(rule["Targets"][0]["Input"])["sources"]]

    assert [type(each) for each in sources] == [Stream, List, List]


def test_metrics_that_alarms_read_are_counted_by_the_runtime() -> None:
    assert {"Rebalances", "EntriesTrimmed"} <= set(get_args(RareCountName))

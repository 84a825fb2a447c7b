"""What an export gives a pod is what the runtime reads there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs

from fargate_workers import KafkaCluster, KafkaTopic, QueueWorker, RedisCache, RedisList, RedisStream, WorkerCluster
from fargate_workers.sources.redis import keys
from fargate_workers_runtime.brokers.kafka.settings import KafkaSettings
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_streams.settings import StreamSettings
from fargate_workers_runtime.settings import Settings
from fargate_workers_toolkit.export import KnownValues, export, grace, read_workers

ARN = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"
IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def pods(assembly: Path, *, jobs: bool) -> dict[str, dict[str, Any]]:
    """The pod of each worker of the sample's production, with the seconds that it has to stop."""
    found: dict[str, dict[str, Any]] = {}
    for worker in read_workers(assembly, "prod", KnownValues()):
        for manifest in export(worker, KnownValues(), jobs=jobs).manifests:
            if manifest["kind"] == "Deployment":
                found[worker.name] = manifest["spec"]["template"]["spec"] | {"grace": grace(worker)}
            elif manifest["kind"] == "ScaledJob":
                found[worker.name] = manifest["spec"]["jobTargetRef"]["template"]["spec"] | {"grace": grace(worker)}
    return found


@pytest.mark.parametrize("jobs", [False, True])
def test_the_runtime_reads_the_variables_of_a_pod(assembly: Path, jobs: bool) -> None:
    found = pods(assembly, jobs=jobs)

    assert set(found) == {"apply-orders", "import-orders"}
    for pod in found.values():
        [container] = pod["containers"]
        variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        settings = Settings.from_environment(variables | IN_A_POD)
        assert settings.until_empty == jobs
        assert settings.stop_timeout == pod["terminationGracePeriodSeconds"] == pod["grace"]
        # Every handler ends within the stop, so that no pod asks to be left alone.
        assert settings.drain_seconds >= settings.max_processing
        assert str(settings.health_file).startswith(container["volumeMounts"][0]["mountPath"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[dict[str, str], list[dict[str, Any]]]]:
    """The variables of each worker's pod, and the triggers that scale it, as the library's sources make them."""
    folder = tmp_path_factory.mktemp("cdk.out")
    app = App(outdir=str(folder))
    stack = Stack(app, "Shop", env={"account": "111122223333", "region": "eu-west-1"})
    cluster = WorkerCluster(stack, "Cluster", network="nat")
    group = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
    kafka = KafkaCluster.existing(stack, "Events", cluster_arn=ARN, security_group=group)
    cache = RedisCache(stack, "Cache", cluster=cluster, eviction="noeviction")
    topic = KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=24)
    sources: dict[str, Any] = {
        "Topic": topic.for_group("apply", ordered=False, retry_topic=True),
        "Stream": RedisStream(stack, "Sent", cache=cache),
        "Kept": RedisStream(stack, "Remembered", cache=cache, retain=Duration.days(1)).for_group("apply"),
        "List": RedisList(stack, "Listed", cache=cache),
    }
    repository = ecr.Repository.from_repository_name(stack, "Repository", "shop")
    picture = ecs.ContainerImage.from_ecr_repository(repository, "1")
    for name, source in sources.items():
        QueueWorker(stack, name, cluster=cluster, image=picture, source=source)
    app.synth()
    known = KnownValues()
    found: dict[str, tuple[dict[str, str], list[dict[str, Any]]]] = {}
    for worker in read_workers(folder, "Shop", known):
        manifests: dict[str, Any] = {each["kind"]: each.get("spec") for each in export(worker, known).manifests}
        [container] = manifests["Deployment"]["template"]["spec"]["containers"]
        variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        found[worker.name] = variables, [each["metadata"] for each in manifests["ScaledObject"]["triggers"]]
    return found


def test_the_triggers_of_a_topic_count_what_the_runtime_reads(exported: Mapping[str, Any]) -> None:
    variables, triggers = exported["topic"]
    settings = KafkaSettings.from_environment(variables)

    assert [each["topic"] for each in triggers] == [settings.topic, settings.retry_topic]
    assert {each["consumerGroup"] for each in triggers} == {settings.group}
    assert {each["offsetResetPolicy"] for each in triggers} == {settings.start}


def test_the_trigger_of_a_stream_counts_what_the_runtime_reads(exported: Mapping[str, Any]) -> None:
    variables, [trigger] = exported["stream"]

    assert trigger["stream"] == StreamSettings.from_environment(variables).name
    assert "consumerGroup" not in trigger


def test_the_triggers_of_a_kept_stream_count_what_the_runtime_reads_and_puts_off(exported: Mapping[str, Any]) -> None:
    variables, [lag, pending, later] = exported["kept"]
    settings = StreamSettings.from_environment(variables)

    assert {(each["stream"], each["consumerGroup"]) for each in (lag, pending)} == {(settings.name, settings.group)}
    assert later["listName"] == keys.later_of(settings.name, settings.group)


def test_the_triggers_of_a_list_count_what_the_runtime_reads_and_leases(exported: Mapping[str, Any]) -> None:
    variables, triggers = exported["list"]
    name = ListSettings.from_environment(variables).name

    assert [each["listName"] for each in triggers] == [name, keys.leases_of(name)]

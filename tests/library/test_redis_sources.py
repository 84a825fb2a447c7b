"""Streams and lists in a Redis cache, the workers that drain them, and the function that observes both."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2

from fargate_workers import (
    Dashboard,
    KafkaCluster,
    KafkaTopic,
    QueueWorker,
    RedisCache,
    RedisList,
    RedisStream,
    Scaling,
    WorkerCluster,
)
from fargate_workers.sources import SharedSource, SourceInNetwork, WorkSource
from fargate_workers.sources.redis import SourceObserver
from tests.doubles.stack_facts import Facts, image, synthesize


def cluster(stack: Stack, network: Any = "nat") -> WorkerCluster:
    return WorkerCluster(stack, "Cluster", network=network)


def locks(stack: Stack, ours: WorkerCluster, **options: Any) -> RedisCache:
    return RedisCache(stack, "Broker", cluster=ours, **{"eviction": "noeviction", **options})


def streams(stack: Stack) -> None:
    ours = cluster(stack, "public")
    cache = locks(stack, ours)
    orders = RedisStream(stack, "OrderEvents", cache=cache, max_length=5_000, retain=Duration.days(1))
    QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders, claims=cache)
    QueueWorker(
        stack, "Ship", cluster=ours, image=image(), source=orders.for_group("parcels"), scaling=Scaling.on_queue_depth()
    )


def lists(stack: Stack) -> None:
    ours = cluster(stack, "endpoints")
    cache = locks(stack, ours)
    for name, delivery in (("Jobs", "at-least-once"), ("Hints", "at-most-once")):
        elements = RedisList(stack, name, cache=cache, delivery=delivery)
        QueueWorker(stack, f"Do{name}", cluster=ours, image=image(), source=elements, cpu=4_096, memory_mib=8_192)


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    def data_and_workers() -> dict[str, Callable[[Stack], None]]:
        made: dict[str, Any] = {}

        def data(stack: Stack) -> None:
            made["cluster"] = cluster(stack)
            made["orders"] = RedisStream(stack, "Orders", cache=locks(stack, made["cluster"]))

        def workers(stack: Stack) -> None:
            QueueWorker(stack, "Apply", cluster=made["cluster"], image=image(), source=made["orders"])

        return {"data": data, "workers": workers}

    return synthesize({"streams": streams, "lists": lists, **data_and_workers()})


def variables(facts: Facts, worker: str) -> dict[str, Any]:
    for task in facts.all("ECS::TaskDefinition"):
        found = {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}
        if found["WORKER_NAME"].endswith(f"/{worker}"):
            return found
    raise AssertionError(worker)


def of_broker(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in found.items()
        if name.startswith(("STREAM_", "LIST_", "VISIBILITY", "MAX_RECEIVE")) or name == "BROKER"
    }


def observed(facts: Facts) -> list[dict[str, Any]]:
    (rule,) = (each for each in facts.all("Events::Rule") if each["Targets"][0]["Id"] == "Observer")
    return json.loads(rule["Targets"][0]["Input"])["sources"]


def test_the_container_finds_the_stream(stacks: dict[str, Facts]) -> None:
    assert of_broker(variables(stacks["streams"], "Apply")) == {
        "BROKER": "redis-stream",
        "STREAM_NAME": "{order-events}",
        "STREAM_GROUP": "apply",
        "STREAM_MAX_LENGTH": "5000",
        "STREAM_DEAD_LETTERS": "{order-events}:dead",
        "STREAM_RETAIN_SECONDS": "86400",
        "VISIBILITY_TIMEOUT_SECONDS": "120",
        "MAX_RECEIVE_COUNT": "100",
    }
    assert variables(stacks["streams"], "Ship")["STREAM_GROUP"] == "parcels"
    assert variables(stacks["workers"], "Apply")["STREAM_RETAIN_SECONDS"] == "0"


def test_the_container_finds_the_list(stacks: dict[str, Facts]) -> None:
    assert of_broker(variables(stacks["lists"], "DoJobs")) == {
        "BROKER": "redis-list",
        "LIST_NAME": "{jobs}",
        "LIST_DEAD_LETTERS": "{jobs}:dead",
        "LIST_DELIVERY": "at-least-once",
        "VISIBILITY_TIMEOUT_SECONDS": "120",
        "MAX_RECEIVE_COUNT": "100",
    }
    hints = of_broker(variables(stacks["lists"], "DoHints"))
    # What is taken out for good is delivered once, so nothing counts.
    assert (hints["LIST_DELIVERY"], hints.get("MAX_RECEIVE_COUNT")) == ("at-most-once", None)


def test_the_brokers_server_may_be_another_than_that_of_the_claims(stacks: dict[str, Facts]) -> None:
    apply = variables(stacks["streams"], "Apply")
    assert {name.removeprefix("BROKER_") for name in apply if name.startswith("BROKER_")} == {
        name for name in apply if name.startswith("REDIS_")
    }
    assert (apply["BROKER_REDIS_MAX_CONNECTIONS"], apply["REDIS_MAX_CONNECTIONS"]) == ("10", "50")
    # Four processes, each of which waits by a connection of its own.
    assert variables(stacks["lists"], "DoJobs")["BROKER_REDIS_MAX_CONNECTIONS"] == "40"


def test_the_connections_of_brokers_and_of_the_observer_are_counted() -> None:
    stack = Stack(App(), "stack")
    ours = cluster(stack)
    cache = locks(stack, ours)
    QueueWorker(stack, "Apply", cluster=ours, image=image(), source=RedisStream(stack, "Orders", cache=cache))

    assert [(share.worker, share.connections) for share in cache.budget.shares] == [
        ("Broker observer", 4),
        ("Apply (broker)", 200),
    ]


def test_tasks_and_the_observer_are_let_in_and_out(stacks: dict[str, Facts]) -> None:
    for name, members in (("streams", 3), ("lists", 3)):
        for kind in ("Ingress", "Egress"):
            rules = [each for each in stacks[name].all(f"EC2::SecurityGroup{kind}") if each.get("FromPort") == 6380]
            assert len(rules) == members


def test_the_observer_stands_in_the_network_and_calls_no_service(stacks: dict[str, Facts]) -> None:
    for name in ("streams", "lists", "data"):
        (function,) = (
            each
            for each in stacks[name].all("Lambda::Function")
            if each["Handler"].startswith("fargate_workers_observer")
        )
        assert function["VpcConfig"]["SubnetIds"]
        (group,) = (
            each
            for each in stacks[name].all("EC2::SecurityGroup")
            if each["GroupDescription"] == "A function that connects within the network"
        )
        assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["255.255.255.255/32"]
    assert "cloudwatch:PutMetricData" not in str(
        [each for each in stacks["data"].statements() if "FargateWorkers/Sources" in str(each)]
    )


def test_the_observer_looks_at_every_group_and_list_once(stacks: dict[str, Facts]) -> None:
    assert observed(stacks["streams"]) == [
        {
            "source": f"streams/OrderEvents/{group}",
            "stream": "{order-events}",
            "group": group,
            "later": f"{{order-events}}:later:{group}",
            "dead_letters": "{order-events}:dead",
            "retained": True,
        }
        for group in ("apply", "parcels")
    ]
    assert [each["leased"] for each in observed(stacks["lists"])] == [["{jobs}:leases"], []]
    # It belongs to the cache, whichever stack the workers are in.
    assert [each["source"] for each in observed(stacks["data"])] == ["data/Orders/apply"]


def alarms(facts: Facts, subject: str) -> dict[str, dict[str, Any]]:
    return {
        page.split("docs/runbooks/")[1].split(".md")[0]: each
        for each in facts.all("CloudWatch::Alarm")
        if "docs/runbooks/" in (page := json.dumps(each["AlarmDescription"])) and subject in page
    }


def test_alarms_watch_length_age_and_dead_letters(stacks: dict[str, Facts]) -> None:
    found = alarms(stacks["streams"], "streams/Apply")
    assert {"stream-nearly-full", "oldest-entry-too-old", "entries-stuck", "dead-entries", "entries-lost"} <= {*found}
    assert found["stream-nearly-full"]["Threshold"] == 4_000
    assert found["oldest-entry-too-old"]["Threshold"] == 900
    assert found["dead-entries"]["Dimensions"] == [{"Name": "Source", "Value": "streams/OrderEvents/apply"}]
    of_list = alarms(stacks["lists"], "lists/DoJobs")
    assert "dead-entries" in of_list
    assert not {"stream-nearly-full", "oldest-entry-too-old"} & {*of_list}
    assert {"observer-silent", "observer-failing"} <= {*alarms(stacks["lists"], "Observer")}


def test_depth_scales_by_what_the_observer_publishes(stacks: dict[str, Facts]) -> None:
    read = {
        query["MetricStat"]["Metric"]["MetricName"]
        for alarm in stacks["streams"].all("CloudWatch::Alarm")
        if "ScaleOut" in str(alarm["AlarmDescription"])
        for query in alarm.get("Metrics", [])
        if "MetricStat" in query
    }
    assert {"Waiting", "InFlight"} <= read


def test_both_are_sources_that_stand_in_a_network() -> None:
    stack = Stack(App(), "stack")
    ours = cluster(stack)
    cache = locks(stack, ours)
    orders, jobs = RedisStream(stack, "Orders", cache=cache), RedisList(stack, "Jobs", cache=cache)
    for source in (orders, orders.for_group("a"), jobs):
        assert isinstance(source, SharedSource)
    worker = QueueWorker(stack, "Apply", cluster=ours, image=image(), source=jobs)
    assert isinstance(worker.source, WorkSource)
    assert isinstance(worker.source, SourceInNetwork)
    assert SourceObserver.of(cache).alarms.keys() == {"ObserverSilent", "ObserverFailing"}


def stream(**options: Any) -> Callable[[Stack], object]:
    return lambda stack: RedisStream(stack, "Orders", cache=locks(stack, cluster(stack)), **options)


def elements(**options: Any) -> Callable[[Stack], object]:
    return lambda stack: RedisList(stack, "Jobs", cache=locks(stack, cluster(stack)), **options)


def drained(**options: Any) -> Callable[[Stack], object]:
    def make(stack: Stack) -> object:
        ours = cluster(stack)
        orders = RedisStream(stack, "Orders", cache=locks(stack, ours))
        return QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders, **options)

    return make


def two_workers(kind: type[RedisStream | RedisList]) -> Callable[[Stack], None]:
    def make(stack: Stack) -> None:
        ours = cluster(stack)
        shared = kind(stack, "Orders", cache=locks(stack, ours))
        for name in ("Apply", "Ship"):
            QueueWorker(stack, name, cluster=ours, image=image(), source=shared)

    return make


def one_name(stack: Stack) -> None:
    cache = locks(stack, cluster(stack))
    RedisStream(stack, "Orders", cache=cache)
    RedisList(stack, "Other", cache=cache, name="orders")


def too_many_connections(stack: Stack) -> None:
    ours = cluster(stack)
    orders = RedisStream(stack, "Orders", cache=locks(stack, ours))
    scaling = Scaling.for_latency(max_tasks=1_000)
    QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders, scaling=scaling)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda stack: RedisStream(stack, "Orders", cache=locks(stack, cluster(stack), eviction="allkeys-lru")),
            r'^Orders: it is kept in a cache with eviction="allkeys-lru", which evicts messages when its memory',
        ),
        (
            lambda stack: RedisList(stack, "Jobs", cache=locks(stack, cluster(stack), eviction="allkeys-lru")),
            r'^Jobs: it is kept in a cache with eviction="allkeys-lru"',
        ),
        (
            lambda stack: RedisStream(stack, "Orders", cache=stack),
            r"^Orders: cache is of type Stack; give a RedisCache",
        ),  # type: ignore[arg-type]
        (stream(max_length=10), r"^Orders: max_length is 10; use 100 to 100000000\.$"),
        (stream(retain=Duration.seconds(5)), r"^Orders: retain is 5 s; use 60 s to 30 days, or leave it out\.$"),
        (stream(lease=Duration.seconds(5)), r"^Orders: lease is 5 s; use 30 s to 12 hours\.$"),
        (stream(max_receive_count=0), r"^Orders: max_receive_count is 0; use 1 to 1000\.$"),
        (stream(name="{orders}"), r'^Orders: name is "\{orders\}"; use up to 100 letters, .* Braces are put around it'),
        (
            elements(delivery="exactly-once"),
            r"^Jobs: delivery is 'exactly-once'; use one of at-least-once, at-most-onc",
        ),
        (
            two_workers(RedisStream),
            r"^stack/Ship: the stream Orders is drained by stack/Apply, and entries are deleted",
        ),
        (
            two_workers(RedisList),
            r"^stack/Ship: the list Orders has a worker already, stack/Apply, and two would share",
        ),
        (
            one_name,
            r"^Other: the cache Broker keeps Orders under the name \{orders\} already; give one of them another",
        ),
        (too_many_connections, r"^Broker: workers may open 20004 connections, but it bears 16000 .*Apply \(broker\)"),
        (
            drained(acceptable_age=Duration.seconds(5)),
            r"^Apply: acceptable_age is 5 s; the observer looks once a minute",
        ),
        (drained(max_message_bytes=2_000_000), r"^Apply: max_message_bytes is 2000000; use 1 to 1048576: what waits"),
        (
            drained(scaling=Scaling.for_latency(function=False, processing_time=Duration.seconds(1))),
            r"^stack/Apply: its scaling computes with arrivals and acknowledged, which the source of its work does not",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(make: Callable[[Stack], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        make(Stack(App(), "stack"))
    assert "\n" not in str(refused.value)


def test_a_dashboard_shows_what_any_source_reports() -> None:
    def build(stack: Stack) -> None:
        ours = cluster(stack)
        brokers = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
        arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"
        kafka = KafkaCluster.existing(stack, "Events", cluster_arn=arn, security_group=brokers)
        sources = {
            "Apply": KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=12),
            "Ship": RedisStream(stack, "Parcels", cache=locks(stack, ours)),
        }
        workers = [
            QueueWorker(stack, name, cluster=ours, image=image(), source=source) for name, source in sources.items()
        ]
        Dashboard(stack, "Dashboard", workers=workers)

    shown = json.dumps(synthesize({"stack": build})["stack"].only("CloudWatch::Dashboard")["DashboardBody"])

    assert "Apply: Kafka" in shown
    assert "Ship: Redis" in shown
    for metric in ("SumOffsetLag", "EstimatedMaxTimeLag", "Waiting", "InFlight", "OldestAge"):
        assert metric in shown
    assert "AWS/SQS" not in shown

"""A Kafka cluster, its topics, and a worker that drains one by a consumer group."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from fargate_workers import Brokers, KafkaCluster, KafkaTopic, QueueWorker, Scaling, WorkerCluster
from fargate_workers.sources import SharedSource, SourceInNetwork, WorkSource
from fargate_workers.sources.kafka.names import group_arn, topic_arn
from tests.doubles.stack_facts import Facts, image, synthesize

ARN = "arn:aws:kafka:eu-west-1:111122223333:cluster/events/0123abcd-0123-4567-89ab-0123456789ab-2"


def cluster(stack: Stack, *, zones: int = 3, network: Any = "nat") -> WorkerCluster:
    return WorkerCluster(
        stack, "Cluster", network=network, availability_zones=[f"eu-west-1{zone}" for zone in "abc"[:zones]]
    )


def existing(stack: Stack) -> KafkaCluster:
    group = ec2.SecurityGroup.from_security_group_id(stack, "Brokers", "sg-1")
    return KafkaCluster.existing(stack, "Events", cluster_arn=ARN, security_group=group)


def build(stack: Stack, brokers: Brokers | None = None, **options: Any) -> None:
    ours = cluster(stack)
    kafka = KafkaCluster(stack, "Events", cluster=ours, brokers=brokers or Brokers.express(), **options)
    orders = KafkaTopic(stack, "OrderEvents", kafka=kafka, partitions=12, properties={"cleanup.policy": "delete"})
    QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders)
    ship = orders.for_group(
        "ship", start="latest", ordered=False, retry_topic=True, protocol="consumer", lease=Duration.seconds(30)
    )
    QueueWorker(stack, "Ship", cluster=ours, image=image(), source=ship, scaling=Scaling.for_latency(max_tasks=12))


def standard(stack: Stack) -> None:
    build(
        stack,
        Brokers.standard("m7g.xlarge", count=6, storage_gib=500),
        encryption_key=kms.Key(stack, "Key"),
        removal_policy=RemovalPolicy.DESTROY,
    )


def serverless(stack: Stack) -> None:
    ours = cluster(stack, zones=2, network="endpoints")
    kafka = KafkaCluster(stack, "Events", cluster=ours, brokers=Brokers.serverless())
    orders = KafkaTopic.existing(
        stack, "Orders", kafka=kafka, name="orders", partitions=10, dead_letter_topic="orders.dead"
    )
    QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders)


def made_elsewhere(stack: Stack) -> None:
    kafka = existing(stack)
    orders = KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=12)
    QueueWorker(stack, "Apply", cluster=cluster(stack, zones=2), image=image(), source=orders)


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize({"express": build, "standard": standard, "serverless": serverless, "elsewhere": made_elsewhere})


def variables(facts: Facts, worker: str) -> dict[str, Any]:
    for task in facts.all("ECS::TaskDefinition"):
        found = {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}
        if found["WORKER_NAME"].endswith(f"/{worker}"):
            return found
    raise AssertionError(worker)


def settings(topic: dict[str, Any]) -> dict[str, str]:
    return json.loads(base64.b64decode(topic["Configs"]))


def test_clients_come_in_by_tls_and_iam_alone(stacks: dict[str, Facts]) -> None:
    for name in ("express", "standard"):
        made = stacks[name].only("MSK::Cluster")
        assert made["ClientAuthentication"] == {
            "Sasl": {"Iam": {"Enabled": True}},
            "Unauthenticated": {"Enabled": False},
        }
        assert made["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": "TLS", "InCluster": True}
        assert made["KafkaVersion"].endswith(".kraft")
        assert made["LoggingInfo"]["BrokerLogs"]["CloudWatchLogs"]["Enabled"] is True
        assert made["EnhancedMonitoring"] == "DEFAULT"
    assert stacks["serverless"].only("MSK::ServerlessCluster")["ClientAuthentication"] == {
        "Sasl": {"Iam": {"Enabled": True}}
    }


def test_brokers_are_what_was_chosen(stacks: dict[str, Facts]) -> None:
    express, other = (stacks[name].only("MSK::Cluster") for name in ("express", "standard"))
    nodes = express["BrokerNodeGroupInfo"]
    assert (nodes["InstanceType"], express["NumberOfBrokerNodes"]) == ("express.m7g.large", 3)
    assert "StorageInfo" not in nodes
    assert len(nodes["ClientSubnets"]) == 3
    nodes = other["BrokerNodeGroupInfo"]
    assert (nodes["InstanceType"], other["NumberOfBrokerNodes"]) == ("kafka.m7g.xlarge", 6)
    assert nodes["StorageInfo"] == {"EBSStorageInfo": {"VolumeSize": 500}}
    assert "DataVolumeKMSKeyId" in other["EncryptionInfo"]["EncryptionAtRest"]


def test_no_client_makes_a_topic_and_two_replicas_confirm_each_write(stacks: dict[str, Facts]) -> None:
    properties = stacks["standard"].only("MSK::Configuration")["ServerProperties"].splitlines()
    assert {"auto.create.topics.enable=false", "min.insync.replicas=2", "default.replication.factor=3"} <= {*properties}
    # Express brokers refuse what they fix themselves.
    assert stacks["express"].only("MSK::Configuration")["ServerProperties"] == "auto.create.topics.enable=false"


def test_what_holds_data_is_kept_with_all_that_it_stands_on(stacks: dict[str, Facts]) -> None:
    kept = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    for kind in ("MSK::Cluster", "MSK::Configuration", "MSK::Topic"):
        for resource in stacks["express"].whole(kind):
            assert {name: resource[name] for name in kept} == kept
    (brokers,) = (
        each
        for each in stacks["express"].whole("EC2::SecurityGroup")
        if "Kafka" in each["Properties"]["GroupDescription"]
    )
    assert {name: brokers[name] for name in kept} == kept
    assert stacks["standard"].whole("MSK::Cluster")[0]["DeletionPolicy"] == "Delete"


def test_a_cluster_that_is_kept_does_not_stand_in_the_way_of_the_next(stacks: dict[str, Facts]) -> None:
    assert "AWS::StackId" in str(stacks["express"].only("MSK::Cluster")["ClusterName"])


def test_a_topic_has_its_partitions_and_each_group_its_dead_letters(stacks: dict[str, Facts]) -> None:
    topics = {each["TopicName"]: each for each in stacks["express"].all("MSK::Topic")}

    assert {name: each["PartitionCount"] for name, each in topics.items()} == {
        "order-events": 12,
        "order-events.apply.dead-letters": 1,
        "order-events.ship.dead-letters": 1,
        "order-events.ship.retries": 12,
    }
    assert {each["ReplicationFactor"] for each in topics.values()} == {3}
    assert settings(topics["order-events"]) == {"cleanup.policy": "delete", "retention.ms": "604800000"}
    assert settings(topics["order-events.apply.dead-letters"]) == {"retention.ms": "1209600000"}


def test_the_container_finds_the_topic_and_nothing_of_a_queue(stacks: dict[str, Facts]) -> None:
    apply, ship = (variables(stacks["express"], worker) for worker in ("Apply", "Ship"))

    own = {name: value for name, value in apply.items() if name.startswith(("KAFKA_", "BROKER"))}
    assert {**own, "KAFKA_CLUSTER_ARN": "arn"} == {
        "BROKER": "kafka",
        "KAFKA_CLUSTER_ARN": "arn",
        "KAFKA_AUTHENTICATION": "iam",
        "KAFKA_TOPIC": "order-events",
        "KAFKA_GROUP": "apply",
        "KAFKA_DEAD_LETTER_TOPIC": "order-events.apply.dead-letters",
        "KAFKA_START": "earliest",
        "KAFKA_ORDERED": "true",
        "KAFKA_GROUP_PROTOCOL": "classic",
    }
    assert (ship["KAFKA_START"], ship["KAFKA_ORDERED"], ship["KAFKA_GROUP_PROTOCOL"]) == ("latest", "false", "consumer")
    assert ship["KAFKA_RETRY_TOPIC"] == "order-events.ship.retries"
    assert ship["VISIBILITY_TIMEOUT_SECONDS"] == "30"
    assert not {name for name in apply if "QUEUE" in name or "VISIBILITY" in name or "RECEIVE" in name}


def test_a_task_may_do_what_draining_takes_and_no_more(stacks: dict[str, Facts]) -> None:
    place = ARN.replace(":cluster/", ":{}/")
    granted = {
        (action, resource)
        for statement in stacks["elsewhere"].statements()
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in (
            [statement["Resource"]] if not isinstance(statement["Resource"], list) else statement["Resource"]
        )
        if action.startswith("kafka")
    }
    orders, dead = f"{place.format('topic')}/orders", f"{place.format('topic')}/orders.apply.dead-letters"
    assert granted == {
        ("kafka:GetBootstrapBrokers", "*"),  # AWS narrows it to no resource
        ("kafka-cluster:Connect", ARN),
        ("kafka-cluster:WriteDataIdempotently", ARN),
        ("kafka-cluster:DescribeTopic", orders),
        ("kafka-cluster:ReadData", orders),
        ("kafka-cluster:DescribeTopic", dead),
        ("kafka-cluster:WriteData", dead),
        ("kafka-cluster:AlterGroup", f"{place.format('group')}/apply"),
        ("kafka-cluster:DescribeGroup", f"{place.format('group')}/apply"),
    }


def test_arns_are_spelt_as_iam_knows_them() -> None:
    # https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
    place, path = "arn:aws:kafka:us-east-1:123456789012", "MyCluster/abcd1234-abcd-dcba-4321-a1b2abcd9f9f-2"
    assert topic_arn(f"{place}:cluster/{path}", "MyTopic") == f"{place}:topic/{path}/MyTopic"
    assert group_arn(f"{place}:cluster/{path}", "MyGroup") == f"{place}:group/{path}/MyGroup"


def test_tasks_reach_the_brokers_at_the_port_of_iam(stacks: dict[str, Facts]) -> None:
    for name, facts in stacks.items():
        rules = [*facts.all("EC2::SecurityGroupIngress"), *facts.all("EC2::SecurityGroupEgress")]
        workers = 1 if name in ("serverless", "elsewhere") else 2
        assert [rule["FromPort"] for rule in rules if rule.get("Description", "").startswith("Kafka")] == [9098] * (
            2 * workers
        )
    (endpoint,) = (
        each for each in stacks["serverless"].all("EC2::VPCEndpoint") if str(each["ServiceName"]).endswith(".kafka']]}")
    )
    assert endpoint["VpcEndpointType"] == "Interface"


def alarms(facts: Facts) -> dict[str, dict[str, Any]]:
    return {
        page.split("docs/runbooks/")[1].split(".md")[0]: each
        for each in facts.all("CloudWatch::Alarm")
        if "docs/runbooks/" in (page := json.dumps(each["AlarmDescription"])) and "Apply" in page
    }


def test_silence_of_a_group_that_rebalances_raises_nothing(stacks: dict[str, Facts]) -> None:
    found = alarms(stacks["express"])
    assert {"lag-too-old", "group-stuck", "dead-letter-topic-rising", "rebalances-often"} <= found.keys()
    for name in ("lag-too-old", "group-stuck", "at-max-capacity"):
        assert found[name]["TreatMissingData"] == "ignore"
    assert "scaling-metric-missing" not in found
    assert (found["lag-too-old"]["MetricName"], found["lag-too-old"]["Threshold"]) == ("EstimatedMaxTimeLag", 900)
    assert [each["Name"] for each in found["lag-too-old"]["Dimensions"]] == ["Cluster Name", "Consumer Group", "Topic"]
    rebalances = found["rebalances-often"]
    assert (rebalances["DatapointsToAlarm"], rebalances["EvaluationPeriods"], rebalances["Period"]) == (7, 60, 60)
    assert "Kafka could not be told" in json.dumps(found["outcomes-given-up"]["AlarmDescription"])


def test_a_topic_is_a_source_that_workers_share() -> None:
    stack = Stack(App(), "stack")
    topic = KafkaTopic.existing(stack, "Orders", kafka=existing(stack), name="orders", partitions=12)
    assert isinstance(topic, SharedSource)
    assert isinstance(topic.for_group("a"), SharedSource)
    worker = QueueWorker(stack, "Apply", cluster=cluster(stack), image=image(), source=topic)
    assert isinstance(worker.source, WorkSource)
    assert isinstance(worker.source, SourceInNetwork)


def drained(**options: Any) -> Callable[[Stack], object]:
    def make(stack: Stack) -> object:
        topic = KafkaTopic.existing(stack, "Orders", kafka=existing(stack), name="orders", partitions=6)
        return QueueWorker(stack, "Apply", cluster=cluster(stack), image=image(), source=topic, **options)

    return make


def grouped(name: str, **options: Any) -> Callable[[Stack], object]:
    def make(stack: Stack) -> object:
        topic = KafkaTopic.existing(stack, "Orders", kafka=existing(stack), name="orders", partitions=6)
        return topic.for_group(name, **options)

    return make


def topic(**options: Any) -> Callable[[Stack], object]:
    return lambda stack: KafkaTopic(stack, "Orders", kafka=existing(stack), **{"partitions": 6, **options})


def made(brokers: Callable[[], Brokers], *, zones: int = 3, **options: Any) -> Callable[[Stack], object]:
    return lambda stack: KafkaCluster(
        stack, "Events", cluster=cluster(stack, zones=zones), brokers=brokers(), **options
    )


def two_in_a_group(stack: Stack) -> None:
    ours = cluster(stack)
    topic = KafkaTopic.existing(stack, "Orders", kafka=existing(stack), name="orders", partitions=12)
    for name in ("Apply", "Ship"):
        QueueWorker(stack, name, cluster=ours, image=image(), source=topic.for_group("apply"))


def topic_in_serverless(stack: Stack) -> None:
    KafkaTopic(
        stack,
        "Orders",
        kafka=KafkaCluster(stack, "K", cluster=cluster(stack), brokers=Brokers.serverless()),
        partitions=1,
    )


def no_dead_letters(stack: Stack) -> None:
    kafka = KafkaCluster(stack, "K", cluster=cluster(stack), brokers=Brokers.serverless())
    KafkaTopic.existing(stack, "Orders", kafka=kafka, name="orders", partitions=1)


def old_brokers(stack: Stack) -> None:
    brokers = Brokers.standard(version="3.9.x.kraft")
    kafka = KafkaCluster(stack, "K", cluster=cluster(stack), brokers=brokers)
    KafkaTopic(stack, "Orders", kafka=kafka, partitions=1).for_group("apply", protocol="consumer")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (drained(), r"^Apply: max_tasks is 10, and the topic orders has 6 partitions, so .* lower max_tasks to 6, or"),
        (
            drained(cpu=2_048, memory_mib=4_096, scaling=Scaling.for_latency(max_tasks=6)),
            r"^Apply: max_tasks is 6 of 2 processes each, .* lower max_tasks to 3, or give the topic 12 partitions\.$",
        ),
        (
            drained(acceptable_age=Duration.seconds(5), scaling=Scaling.for_latency(max_tasks=6)),
            r"^Apply: acceptable_age is 5 s; MSK reports ages once a minute: use 60 s or more\.$",
        ),
        (
            drained(max_message_bytes=2_000_000, scaling=Scaling.for_latency(max_tasks=6)),
            r"^Apply: max_message_bytes is 2000000; use 1 to 1048576, which is the largest record of the topic orders",
        ),
        (drained(fifo=True), r"^stack/Apply: the ExistingTopic has its own dead_letter_queue, visibility_timeout and"),
        (
            grouped("a:b"),
            r'^stack/Orders: the consumer group is called "a:b", and MSK reports no lag of groups with a c',
        ),
        (grouped("a b"), r'^stack/Orders: the consumer group is called "a b"; use up to 200 letters'),
        (grouped("a", start="now"), r"^orders, a: start is 'now'; use one of earliest, latest\.$"),
        (grouped("a", lease=Duration.seconds(5)), r"^orders, a: lease is 5 s; use 30 s to 12 hours\.$"),
        (old_brokers, r'^stack/Orders: protocol is "consumer", which takes Kafka 4\.0 or later'),
        (
            two_in_a_group,
            r"^stack/Ship: the group apply of the topic orders has a worker already, stack/Apply, and two",
        ),
        (topic(name="or/ders"), r'^Orders: the topic is called "or/ders"; Kafka takes up to 249 letters'),
        (topic(partitions=0), r"^Orders: partitions is 0; use 1 to 4000\.$"),
        (topic(retention=Duration.seconds(1)), r"^Orders: retention is 1 s; keep records for 60 s or more\.$"),
        (topic_in_serverless, r"^Orders: CloudFormation makes no topics in a serverless cluster; make it with a Kafka"),
        (
            no_dead_letters,
            r"^Orders: CloudFormation makes no topics in a serverless cluster; make one for dead letters",
        ),
        (made(Brokers.express, zones=2), r"^Events: Express brokers stand in three zones and the network has 2; name"),
        (made(Brokers.serverless, zones=1), r"^Events: the network has 1 zones and MSK takes 2 or 3; name so many"),
        (made(Brokers.standard, zones=2), r"^Events: 3 brokers do not spread evenly over 2 zones; use a multiple of 2"),
        (made(lambda: Brokers.standard(count=2)), r"^Brokers\.standard: count is 2; three replicas of each partition"),
        (made(lambda: Brokers.standard("t3.small")), r'^Brokers\.standard: size is "t3\.small"; write it like "m7g'),
        (made(lambda: Brokers.express("m5.large")), r'^Brokers\.express: size is "m5\.large"; Express brokers are m7g'),
        (
            made(lambda: Brokers.standard(version="3.9.x")),
            r'^Brokers\.standard: version is "3\.9\.x"; use one of KRaft',
        ),
        (made(lambda: Brokers.standard(storage_gib=0)), r"^Brokers\.standard: storage_gib is 0; MSK takes 1 to 16384"),
        (
            lambda stack: KafkaCluster.existing(
                stack,
                "E",
                cluster_arn="events",
                security_group=ec2.SecurityGroup.from_security_group_id(stack, "S", "s"),
            ),
            r'^E: cluster_arn is "events"; give the ARN of the MSK cluster',
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(make: Callable[[Stack], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        make(Stack(App(), "stack"))
    assert "\n" not in str(refused.value)


def test_an_age_beyond_half_of_the_retention_is_refused() -> None:
    stack = Stack(App(), "stack")
    ours = cluster(stack)
    orders = KafkaTopic(stack, "Orders", kafka=existing(stack), partitions=12, retention=Duration.hours(1))
    with pytest.raises(ValueError, match=r"^Apply: acceptable_age \(31 min\) exceeds half of the topic's retention"):
        QueueWorker(stack, "Apply", cluster=ours, image=image(), source=orders, acceptable_age=Duration.minutes(31))


def test_a_sender_may_write_to_the_topic_and_read_nothing() -> None:
    def send(stack: Stack) -> None:
        ours = cluster(stack)
        orders = KafkaTopic.existing(stack, "Orders", kafka=existing(stack), name="orders", partitions=12)
        orders.grant_send(QueueWorker(stack, "Import", cluster=ours, image=image()))

    facts = synthesize({"stack": send})["stack"]
    actions = [each for statement in facts.statements() for each in statement["Action"] if "kafka" in str(statement)]
    assert "kafka-cluster:WriteData" in actions
    assert "kafka-cluster:ReadData" not in actions

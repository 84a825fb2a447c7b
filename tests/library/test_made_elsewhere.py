"""Things of another account, region or app: refused in one sentence, or announced with the statements to add."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from fargate_workers import (
    Alerts,
    DeadLetterRedrive,
    DeduplicationTable,
    ObjectCreatedTask,
    QueueWorker,
    RedisCache,
    Scaling,
    ScheduledTask,
    WorkerCluster,
    WorkerQueue,
    WorkerTask,
)
from tests.doubles.stack_facts import image

ACCOUNT, REGION = "111122223333", "eu-west-1"
ELSEWHERE = pytest.mark.parametrize("place", ["us-east-1:111122223333", "eu-west-1:999988887777"])
OTHER_REGION = "arn:aws:kms:us-east-1:111122223333:key/theirs"
OTHER_ACCOUNT = "arn:aws:kms:eu-west-1:999988887777:key/theirs"


def shop() -> Stack:
    return Stack(App(), "Shop", env=Environment(account=ACCOUNT, region=REGION))


def vpc(stack: Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )


def cluster(stack: Stack, **options: Any) -> WorkerCluster:
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc(stack), **options)


def worker(stack: Stack, **options: Any) -> QueueWorker:
    ours = cluster(stack)
    return QueueWorker(stack, "Orders", cluster=ours, image=image(), scaling=Scaling.on_queue_depth(), **options)


def key(stack: Stack, arn: str = OTHER_ACCOUNT) -> kms.IKey:
    return kms.Key.from_key_arn(stack, "TheirKey", arn)


def queues(stack: Stack, place: str) -> dict[str, sqs.IQueue]:
    return {
        name: sqs.Queue.from_queue_arn(stack, f"Their{name}", f"arn:aws:sqs:{place}:{name}")
        for name in ("queue", "dead_letter_queue")
    }


def bucket(stack: Stack, place: str) -> s3.IBucket:
    region, account = place.split(":")
    return s3.Bucket.from_bucket_attributes(
        stack, "Theirs", bucket_arn="arn:aws:s3:::theirs", region=region, account=account
    )


def warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [text for entry in found if "fargate-workers:" in (text := str(entry.entry.data))]


@ELSEWHERE
def test_a_queue_of_elsewhere_is_refused(place: str) -> None:
    stack = shop()
    with pytest.raises(ValueError, match=r"Shop/Orders: queue is of (region us-east-1|account 999988887777) and this"):
        WorkerQueue(stack, "Orders", **queues(stack, place))


@ELSEWHERE
def test_an_alerts_topic_of_elsewhere_is_refused(place: str) -> None:
    stack = shop()
    topic = sns.Topic.from_topic_arn(stack, "Theirs", f"arn:aws:sns:{place}:on-call")
    with pytest.raises(ValueError, match="leave topic= out"):
        Alerts(stack, "Alerts", topic=topic)


@ELSEWHERE
def test_a_bucket_of_elsewhere_is_refused(place: str) -> None:
    stack = shop()
    with pytest.raises(ValueError, match="its events stay there"):
        worker(stack).on_object_created(bucket(stack, place))
    stack = shop()
    with pytest.raises(ValueError, match="its events stay there"):
        ObjectCreatedTask(stack, "Import", cluster=cluster(stack), image=image(), bucket=bucket(stack, place))


def test_a_topic_of_another_region_cannot_keep_what_it_does_not_deliver_and_is_refused() -> None:
    stack = shop()
    topic = sns.Topic.from_topic_arn(stack, "Theirs", "arn:aws:sns:us-east-1:111122223333:prices")
    with pytest.raises(ValueError, match="only in the topic's own region"):
        worker(stack).subscribe(topic)


@pytest.mark.parametrize(
    "use",
    [
        lambda stack: WorkerQueue(stack, "Orders", encryption_key=key(stack, OTHER_REGION)),
        lambda stack: Alerts(stack, "Alerts", key=key(stack, OTHER_REGION)),
        lambda stack: cluster(stack, log_encryption_key=key(stack, OTHER_REGION)),
        lambda stack: DeduplicationTable(stack, "Claims", encryption_key=key(stack, OTHER_REGION)),
        lambda stack: RedisCache(stack, "Cache", cluster=cluster(stack), encryption_key=key(stack, OTHER_REGION)),
    ],
    ids=["queue", "alerts", "logs", "claims", "cache"],
)
def test_a_key_of_another_region_is_refused(use: Callable[[Stack], object]) -> None:
    with pytest.raises(ValueError, match=r"key is of region us-east-1 .* a key encrypts in its own region only"):
        use(shop())


def test_a_topic_of_another_account_may_send_and_is_announced_as_its_owners_to_open() -> None:
    stack = shop()
    arn = "arn:aws:sns:eu-west-1:999988887777:prices"
    worker(stack, source=WorkerQueue(stack, "Queue", encryption_key=kms.Key(stack, "Key"))).subscribe(
        sns.Topic.from_topic_arn(stack, "Theirs", arn)
    )

    resources = json.loads(json.dumps(Template.from_stack(stack).to_json()))["Resources"]
    allowed = [
        statement["Condition"]
        for each in resources.values()
        if each["Type"] == "AWS::SQS::QueuePolicy"
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "sns.amazonaws.com"}
    ]
    expected = {"StringEquals": {"aws:SourceAccount": "999988887777"}, "ArnLike": {"aws:SourceArn": arn}}
    assert allowed == [expected, expected]
    (by_key,) = [
        statement["Condition"]
        for each in resources.values()
        if each["Type"] == "AWS::KMS::Key"
        for statement in each["Properties"]["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "sns.amazonaws.com"}
    ]
    assert by_key == {"StringEquals": {"aws:SourceAccount": "999988887777"}}
    (warning,) = warnings(stack)
    assert "sns:Subscribe" in warning
    assert arn in warning


@pytest.mark.parametrize(
    ("use", "services"),
    [
        (lambda stack: Alerts(stack, "Alerts", key=key(stack)), ["cloudwatch.amazonaws.com", "events.amazonaws.com"]),
        (lambda stack: cluster(stack, log_encryption_key=key(stack)), ["logs."]),
        (
            lambda stack: WorkerQueue(stack, "Orders", encryption_key=key(stack)).allow_service_to_send(
                "events.amazonaws.com", source_arn="arn:aws:events:*"
            ),
            ["events.amazonaws.com", "kms:GenerateDataKey"],
        ),
        (
            lambda stack: Alerts(
                stack, "Alerts", topic=sns.Topic.from_topic_arn(stack, "T", f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call")
            ),
            ["cloudwatch.amazonaws.com", "events.amazonaws.com", "sns:Publish"],
        ),
        (
            lambda stack: WorkerQueue(stack, "Orders", **queues(stack, f"{REGION}:{ACCOUNT}")).allow_service_to_send(
                "sns.amazonaws.com", source_arn="arn:aws:sns:*"
            ),
            ["sns.amazonaws.com", "sqs:SendMessage"],
        ),
        (lambda stack: worker(stack).on_object_created(bucket(stack, f"{REGION}:{ACCOUNT}")), ["EventBridge"]),
    ],
    ids=["alerts' key", "logs' key", "queue's key", "alerts' topic", "queue", "bucket"],
)
def test_what_cannot_be_changed_from_here_is_announced_word_for_word(
    use: Callable[[Stack], object], services: list[str]
) -> None:
    stack = shop()
    use(stack)

    (warning,) = warnings(stack)
    assert "made elsewhere" in warning
    assert [service for service in services if service not in warning] == []


def test_a_topic_of_this_app_is_opened_to_both_services_and_so_is_its_key() -> None:
    stack = shop()
    Alerts(stack, "Alerts", topic=sns.Topic(stack, "Ours", master_key=kms.Key(stack, "Key")))

    text = json.dumps(Template.from_stack(stack).to_json())
    assert warnings(stack) == []
    assert (
        text.count('"Service": "cloudwatch.amazonaws.com"') == text.count('"Service": "events.amazonaws.com"') - 2 == 2
    )


def run(stack: Stack, image: ecs.ContainerImage, network: Literal["nat", "endpoints"] = "nat") -> None:
    ours = cluster(stack) if network == "nat" else WorkerCluster(stack, "Cluster", network=network)
    ScheduledTask(stack, "Report", cluster=ours, image=image, schedule="rate(1 hour)")


def repository(stack: Stack, place: str) -> ecs.ContainerImage:
    arn = f"arn:aws:ecr:{place}:repository/orders"
    theirs = ecr.Repository.from_repository_attributes(stack, "Theirs", repository_arn=arn, repository_name="orders")
    return ecs.ContainerImage.from_ecr_repository(theirs, "1")


def test_an_image_of_another_account_is_announced_with_what_its_repository_must_allow() -> None:
    stack = shop()
    run(stack, repository(stack, f"{REGION}:999988887777"))
    (warning,) = warnings(stack)
    assert "ecr:BatchGetImage" in warning
    assert f":iam::{ACCOUNT}:root" in warning or "AWS::AccountId" in warning


def test_an_image_of_another_region_is_refused_where_only_endpoints_lead_out() -> None:
    stack = shop()
    run(stack, repository(stack, f"us-east-1:{ACCOUNT}"))
    assert warnings(stack) == []
    stack = shop()
    with pytest.raises(ValueError, match="reaches the registry of eu-west-1 alone"):
        run(stack, repository(stack, f"us-east-1:{ACCOUNT}"), "endpoints")


@pytest.mark.parametrize(
    ("name", "network", "words"),
    [
        ("public.ecr.aws/docker/library/python:3", "nat", None),
        ("public.ecr.aws/docker/library/python:3", "endpoints", "no way to the internet"),
        (f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/orders:1", "nat", "from_ecr_repository"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_announced(
    name: str, network: Literal["nat", "endpoints"], words: str | None
) -> None:
    stack = shop()
    run(stack, ecs.ContainerImage.from_registry(name), network)
    assert [words in warning for warning in warnings(stack)] == ([] if words is None else [True])


@pytest.mark.parametrize(
    "use",
    [
        lambda stack, theirs: QueueWorker(stack, "Orders", cluster=theirs, image=image()),
        lambda stack, theirs: ScheduledTask(stack, "Orders", cluster=theirs, image=image(), schedule="rate(1 hour)"),
        lambda stack, theirs: ObjectCreatedTask(
            stack, "Orders", cluster=theirs, image=image(), bucket=s3.Bucket(stack, "Files")
        ),
        lambda stack, theirs: WorkerTask(stack, "Task", cluster=theirs, image=image(), name="Orders"),
    ],
)
def test_a_cluster_of_the_cdk_is_refused_with_the_way_out(use: Callable[[Stack, Any], object]) -> None:
    stack = shop()
    with pytest.raises(ValueError, match=r"Orders: cluster is of type Cluster; give a WorkerCluster.*vpc=cluster\.vpc"):
        use(stack, ecs.Cluster(stack, "Theirs", vpc=vpc(stack)))


def test_a_table_of_the_cdk_is_refused_as_claims() -> None:
    stack = shop()
    table: Any = dynamodb.TableV2(
        stack, "Table", partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
    )
    with pytest.raises(
        ValueError, match="Orders: claims is of type TableV2; give a DeduplicationTable or a RedisCache"
    ):
        worker(stack, claims=table)


def test_a_network_without_the_subnets_it_should_run_in_is_refused() -> None:
    stack = shop()
    with pytest.raises(ValueError, match='Cluster: the vpc has no isolated subnets, in which network="endpoints" runs'):
        WorkerCluster(stack, "Cluster", network="endpoints", vpc=vpc(stack))


def test_a_network_of_yours_is_announced_the_endpoints_it_must_have() -> None:
    stack = shop()
    theirs = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], isolated_subnet_ids=["subnet-1"]
    )
    WorkerCluster(stack, "Cluster", network="endpoints", vpc=theirs)

    told = [str(each.entry.data) for each in Annotations.from_stack(stack).find_info("*", Match.any_value())]
    assert [
        service for service in ("ecr.api", "ecr.dkr", "logs", "sqs") if f"endpoint for {service};" in str(told)
    ] == [
        "ecr.api",
        "ecr.dkr",
        "logs",
        "sqs",
    ]


def test_where_nothing_is_known_of_the_stack_the_place_is_announced() -> None:
    stack = Stack(App(), "Anywhere")
    WorkerQueue(stack, "Orders", **queues(stack, "us-east-1:999988887777"))

    assert sorted(each.split("; ")[1].split(" [")[0] for each in warnings(stack)) == ["deploy this stack there."] * 4


def test_both_keys_are_granted_to_the_worker_and_to_the_services() -> None:
    stack = shop()
    main, dead = kms.Key(stack, "Main"), kms.Key(stack, "Dead")
    letters = sqs.Queue(stack, "Letters", encryption_master_key=dead)
    own = sqs.Queue(
        stack,
        "Own",
        encryption_master_key=main,
        dead_letter_queue=sqs.DeadLetterQueue(queue=letters, max_receive_count=3),
    )
    orders = worker(stack, source=own)
    orders.on_object_created(s3.Bucket(stack, "Files"))
    orders.subscribe(sns.Topic(stack, "Topic"))
    DeadLetterRedrive(stack, "Redrive", cluster=orders.cluster, workers=[orders])

    resources = Template.from_stack(stack).to_json()["Resources"]
    keys = {name: each for name, each in resources.items() if each["Type"] == "AWS::KMS::Key"}
    granted = json.dumps([each for each in resources.values() if each["Type"] == "AWS::IAM::ManagedPolicy"])
    assert len(keys) == 2
    for name, each in keys.items():
        policy = json.dumps(each["Properties"]["KeyPolicy"])
        assert '"events.amazonaws.com"' in policy
        assert '"sns.amazonaws.com"' in policy
        assert granted.count(f'"Fn::GetAtt": ["{name}", "Arn"]') == 2  # the worker's policy and the redrive's


def test_a_dead_letter_queue_with_the_key_that_aws_manages_takes_nothing_from_services() -> None:
    stack = shop()
    letters = sqs.Queue(stack, "Letters", encryption=sqs.QueueEncryption.KMS_MANAGED)
    own = sqs.Queue(stack, "Own", dead_letter_queue=sqs.DeadLetterQueue(queue=letters, max_receive_count=3))
    with pytest.raises(ValueError, match="the key of the dead-letter queue, alias/aws/sqs"):
        worker(stack, source=own).on_object_created(s3.Bucket(stack, "Files"))

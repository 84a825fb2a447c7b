"""A queue, its dead-letter queue, and the service that drains it."""

from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from fargate_workers.cluster.worker_cluster import WorkerCluster
from fargate_workers.scaling.policies import Scaling
from fargate_workers.sources.sqs.worker_queue import WorkerQueue
from fargate_workers.stores.deduplication_table import DeduplicationTable
from fargate_workers.stores.redis_cache import RedisCache
from fargate_workers.workers.queue_worker import QueueWorker
from tests.doubles.stack_facts import Facts, image, synthesize


def cluster(stack: Stack) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a"],
        private_subnet_ids=["subnet-1"],
        public_subnet_ids=["subnet-2"],
    )
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)


def worker(stack: Stack, **options: Any) -> QueueWorker:
    ours = options.pop("cluster", None) or cluster(stack)
    # Without the default's planner, which brings resources of its own and has tests of its own.
    scaling = options.pop("scaling", Scaling.on_queue_depth())
    return QueueWorker(stack, "Orders", cluster=ours, image=image(), scaling=scaling, **options)


def fed(stack: Stack) -> None:
    orders = worker(stack, source=WorkerQueue(stack, "Queue", encryption_key=kms.Key(stack, "Key")))
    bucket = s3.Bucket(stack, "Files")
    orders.subscribe(sns.Topic(stack, "Everything"))
    orders.subscribe(sns.Topic(stack, "Some"), filter_policy={"kind": ["order"]}, filter_on="MessageBody")
    orders.on_object_created(bucket, prefix="incoming/", suffix=".csv")
    bucket.grant_read(orders)


def chosen(stack: Stack) -> None:
    orders = worker(
        stack,
        fifo=True,
        command=["python", "-m", "orders"],
        environment={"COLOUR": "blue"},
        visibility_timeout=Duration.minutes(1),
        concurrency=3,
        max_processing=Duration.hours(1),
        acceptable_age=Duration.minutes(5),
        health_check=False,
        spot_from=2,
        scaling=Scaling.on_backlog_per_task(10, min_tasks=0, max_tasks=5),
    )
    assert orders.max_tasks == 5


def connected(stack: Stack) -> None:
    ours = cluster(stack)
    uses: dict[str, Any] = {
        "claims": DeduplicationTable(stack, "Claims"),
        "cache": RedisCache(stack, "Cache", cluster=ours),
    }
    worker(stack, cluster=ours, **uses)


def limited(stack: Stack) -> None:
    ours = cluster(stack)
    redis = RedisCache(stack, "Locks", cluster=ours, eviction="noeviction")
    worker(
        stack,
        cluster=ours,
        claims=redis,
        cache=redis,
        max_downstream_rate=50,
        recycle_after=10_000,
        pacing="economy",
        cpu=4_096,
        memory_mib=8_192,
    )
    assert [(share.worker, share.connections_per_task) for share in redis.budget.shares] == [("Orders", 50)]


def one_at_a_time(stack: Stack) -> None:
    own = sqs.DeadLetterQueue(queue=sqs.Queue(stack, "Dead"), max_receive_count=3)
    worker(
        stack,
        source=sqs.Queue(stack, "Queue", dead_letter_queue=own),
        visibility_timeout=Duration.minutes(2),
        concurrency=1,
        cpu=2_048,
        memory_mib=4_096,
    )


def elsewhere(stack: Stack) -> None:
    def made_elsewhere(name: str) -> sqs.IQueue:
        return sqs.Queue.from_queue_arn(stack, name, f"arn:aws:sqs:eu-west-1:111111111111:{name}")

    worker(stack, source=made_elsewhere("Queue"), dead_letter_queue=made_elsewhere("Dead"))


def on_spot(stack: Stack) -> None:
    worker(stack, spot_from=0)


def public(stack: Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], public_subnet_ids=["subnet-2"]
    )
    worker(stack, cluster=WorkerCluster(stack, "Cluster", network="public", vpc=vpc))


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize(
        {
            "default": worker,
            "fed": fed,
            "chosen": chosen,
            "on-spot": on_spot,
            "public": public,
            "connected": connected,
            "limited": limited,
            "one-at-a-time": one_at_a_time,
            "elsewhere": elsewhere,
        }
    )


@pytest.fixture(scope="module")
def service(stacks: dict[str, Facts]) -> dict[str, Any]:
    return stacks["default"].only("ECS::Service")


def container(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = facts.only("ECS::TaskDefinition")["ContainerDefinitions"][0]
    return found


def variables(facts: Facts) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container(facts)["Environment"]}


def queues(facts: Facts) -> tuple[str, str]:
    """The logical ids of the queue and its dead-letter queue."""
    found = {name: each for name, each in facts.resources.items() if each["Type"] == "AWS::SQS::Queue"}
    (queue,) = [name for name, each in found.items() if "RedrivePolicy" in each["Properties"]]
    (dead_letter_queue,) = found.keys() - {queue}
    return queue, dead_letter_queue


def test_a_deployment_adds_before_it_takes_away_and_is_undone_when_it_fails(service: dict[str, Any]) -> None:
    deployment = service["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_a_deployment_whose_handler_keeps_failing_is_undone(stacks: dict[str, Facts], service: dict[str, Any]) -> None:
    alarms = service["DeploymentConfiguration"]["Alarms"]
    assert (alarms["Enable"], alarms["Rollback"]) == (True, True)
    (name,) = alarms["AlarmNames"]
    watched = stacks["default"].resources[name["Ref"]]
    assert {each["Id"] for each in watched["Properties"]["Metrics"]} >= {"failed", "handled"}
    assert stacks["default"].id_of("ECS::Service") not in str(watched)


def test_the_number_of_tasks_is_left_to_the_scaling(service: dict[str, Any]) -> None:
    assert "DesiredCount" not in service


def test_tasks_are_spread_tagged_and_closed(service: dict[str, Any]) -> None:
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"
    assert service["PropagateTags"] == "SERVICE"
    assert service["EnableECSManagedTags"] is True
    assert service["EnableExecuteCommand"] is False
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"


def test_tasks_in_a_public_network_get_an_address(stacks: dict[str, Facts]) -> None:
    network = stacks["public"].only("ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (network["AssignPublicIp"], network["Subnets"]) == ("ENABLED", ["subnet-2"])


def test_tasks_run_on_demand_unless_spot_is_asked_for(stacks: dict[str, Facts], service: dict[str, Any]) -> None:
    assert service["LaunchType"] == "FARGATE"
    assert stacks["chosen"].only("ECS::Service")["CapacityProviderStrategy"] == [
        {"Base": 2, "CapacityProvider": "FARGATE", "Weight": 0},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1},
    ]
    assert stacks["on-spot"].only("ECS::Service")["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
    ]


def test_a_service_on_spot_waits_until_the_cluster_knows_spot(stacks: dict[str, Facts]) -> None:
    facts = stacks["chosen"]
    (service,) = facts.whole("ECS::Service")
    assert facts.id_of("ECS::ClusterCapacityProviderAssociations") in service["DependsOn"]


def test_no_task_starts_before_it_may_do_its_work(stacks: dict[str, Facts]) -> None:
    facts = stacks["default"]
    (service,) = facts.whole("ECS::Service")
    (draining,) = [
        name
        for name, each in facts.resources.items()
        if each["Type"] == "AWS::IAM::ManagedPolicy" and "sqs:ReceiveMessage" in str(each)
    ]
    assert draining in service["DependsOn"]


def test_the_container_learns_its_queue(stacks: dict[str, Facts]) -> None:
    facts = stacks["default"]
    queue, dead_letter_queue = queues(facts)
    assert variables(facts) == {
        "WORKER_NAME": "default/Orders",
        "HEALTH_FILE": "/tmp/healthy",
        "STOP_TIMEOUT_SECONDS": "120",
        "QUEUE_URL": {"Ref": queue},
        "QUEUE_NAME": {"Fn::GetAtt": [queue, "QueueName"]},
        "DEAD_LETTER_QUEUE_URL": {"Ref": dead_letter_queue},
        "VISIBILITY_TIMEOUT_SECONDS": "120",
        "MAX_PROCESSING_SECONDS": "900",
        "CONCURRENCY": "10",
        "PACING": "latency",
        "PROCESSES": "1",
        "MAX_ATTEMPTS": "10",
        "MAX_RECEIVE_COUNT": "100",
    }


def test_options_reach_the_container(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["chosen"])
    assert found["VISIBILITY_TIMEOUT_SECONDS"] == "60"
    assert found["MAX_PROCESSING_SECONDS"] == "3600"
    assert found["CONCURRENCY"] == "3"
    assert found["COLOUR"] == "blue"
    assert container(stacks["chosen"])["Command"] == ["python", "-m", "orders"]


def test_ecs_asks_the_heartbeat_file_whether_the_worker_is_well(stacks: dict[str, Facts]) -> None:
    assert container(stacks["default"])["HealthCheck"] == {
        "Command": ["CMD-SHELL", "python -m fargate_workers_runtime.health || [ $? -ne 3 ]"],
        "Interval": 30,
        "Retries": 3,
        "StartPeriod": 60,
        "Timeout": 5,
    }
    assert "HealthCheck" not in container(stacks["chosen"])


def test_the_worker_may_drain_its_queue_and_bury_its_dead_and_nothing_else(stacks: dict[str, Facts]) -> None:
    facts = stacks["default"]
    queue, dead_letter_queue = queues(facts)
    allowed = {str(each["Resource"]): each["Action"] for each in facts.statements() if "sqs:" in str(each["Action"])}
    assert allowed == {
        str({"Fn::GetAtt": [queue, "Arn"]}): [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:ReceiveMessage",
        ],
        str({"Fn::GetAtt": [dead_letter_queue, "Arn"]}): "sqs:SendMessage",
    }


def test_the_worker_may_use_its_queues_key(stacks: dict[str, Facts]) -> None:
    key = {"Fn::GetAtt": [stacks["fed"].id_of("KMS::Key"), "Arn"]}
    assert any(
        each["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"] and each["Resource"] == key
        for each in stacks["fed"].statements()
    )


def test_the_worker_may_protect_its_task_while_it_is_busy(stacks: dict[str, Facts]) -> None:
    attached = [str(role.get("ManagedPolicyArns")) for role in stacks["default"].all("IAM::Role")]
    assert any("TaskProtection" in each for each in attached)


def test_a_worker_with_claims_and_a_cache_may_use_them_and_knows_where_they_are(stacks: dict[str, Facts]) -> None:
    facts = stacks["connected"]
    assert any(each["Action"] == "dynamodb:UpdateItem" for each in facts.statements())
    assert any(each["Action"] == "elasticache:Connect" for each in facts.statements())
    assert {"CLAIMS_TABLE_NAME", "REDIS_HOST", "REDIS_USER"} <= variables(facts).keys()
    assert variables(facts)["REDIS_MAX_CONNECTIONS"] == "50"
    assert facts.only("EC2::SecurityGroupEgress")["Description"] == "Redis"


def test_a_worker_uses_neither_claims_nor_a_cache_unless_given_one(stacks: dict[str, Facts]) -> None:
    assert not {"CLAIMS_TABLE_NAME", "REDIS_HOST"} & variables(stacks["default"]).keys()
    assert stacks["default"].count("EC2::SecurityGroupEgress") == 0


def test_a_task_runs_a_process_per_vcpu_as_far_as_its_messages_go_round(stacks: dict[str, Facts]) -> None:
    assert variables(stacks["limited"])["PROCESSES"] == "4"
    assert variables(stacks["one-at-a-time"])["PROCESSES"] == "1"


def test_the_worker_learns_after_how_many_receives_its_queue_gives_up_if_that_is_known(
    stacks: dict[str, Facts],
) -> None:
    assert variables(stacks["one-at-a-time"])["MAX_RECEIVE_COUNT"] == "3"
    assert "MAX_RECEIVE_COUNT" not in variables(stacks["elsewhere"])


def test_claims_in_redis_connect_once_and_need_no_table(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["limited"])
    assert found["CLAIM_STORE"] == "redis"
    assert found["REDIS_MAX_CONNECTIONS"] == "50"
    assert "CLAIMS_TABLE_NAME" not in found
    assert stacks["limited"].only("EC2::SecurityGroupEgress")["Description"] == "Redis"


def test_a_rate_a_recycling_and_a_pace_reach_the_container(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["limited"])
    assert found["RATE_LIMIT_PER_SECOND"] == "50"
    assert found["MAX_MESSAGES_PER_PROCESS"] == "10000"
    assert found["PACING"] == "economy"


def test_grants_to_the_worker_are_permissions_of_its_task(stacks: dict[str, Facts]) -> None:
    assert any("s3:GetObject*" in str(each["Action"]) for each in stacks["fed"].statements())


def test_the_default_scaling_is_on_queue_depth_from_one_to_ten_tasks(stacks: dict[str, Facts]) -> None:
    target = stacks["default"].only("ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 10)
    assert stacks["default"].count("ApplicationAutoScaling::ScalingPolicy") == 2


def test_a_message_older_than_fifteen_minutes_is_told(stacks: dict[str, Facts]) -> None:
    for name, threshold in (("default", 900), ("chosen", 300)):
        alarm = stacks[name].only("CloudWatch::Alarm", MetricName="ApproximateAgeOfOldestMessage")
        assert alarm["Threshold"] == threshold


def test_alarms_are_attributes_by_their_runbooks_name() -> None:
    assert {"DeadLetters", "HandlerFailing", "OldestMessageTooOld", "QueueStuck"} <= set(worker(Stack()).alarms)


def test_a_topic_fans_out_raw_and_keeps_what_it_cannot_deliver(stacks: dict[str, Facts]) -> None:
    facts = stacks["fed"]
    queue, dead_letter_queue = queues(facts)
    everything, some = facts.all("SNS::Subscription")
    for each in (everything, some):
        assert each["Protocol"] == "sqs"
        assert each["Endpoint"] == {"Fn::GetAtt": [queue, "Arn"]}
        assert each["RawMessageDelivery"] is True
        assert each["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [dead_letter_queue, "Arn"]}}
    assert "FilterPolicy" not in everything
    assert (some["FilterPolicy"], some["FilterPolicyScope"]) == ({"kind": ["order"]}, "MessageBody")


def test_a_new_object_becomes_a_message_or_a_dead_letter(stacks: dict[str, Facts]) -> None:
    facts = stacks["fed"]
    queue, dead_letter_queue = queues(facts)
    (target,) = facts.only("Events::Rule")["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [dead_letter_queue, "Arn"]}}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert "InputTransformer" not in target
    assert facts.count("Lambda::Function") == 0
    assert "EventBridgeConfiguration" in facts.only("S3::Bucket")["NotificationConfiguration"]


def test_topics_and_rules_may_send_to_both_queues(stacks: dict[str, Facts]) -> None:
    for policy in stacks["fed"].all("SQS::QueuePolicy"):
        statements = policy["PolicyDocument"]["Statement"]
        senders = {each["Principal"]["Service"] for each in statements if each["Effect"] == "Allow"}
        assert senders == {"sns.amazonaws.com", "events.amazonaws.com"}


def test_cluster_queue_and_worker_may_live_in_three_stacks() -> None:
    app = App()
    platform, data, workers = Stack(app, "Platform"), Stack(app, "Data"), Stack(app, "Workers")
    queue, bucket, topic = WorkerQueue(data, "Queue"), s3.Bucket(data, "Files"), sns.Topic(workers, "Topic")
    orders = QueueWorker(workers, "Orders", cluster=cluster(platform), image=image(), source=queue, spot_from=1)
    orders.subscribe(topic)
    orders.on_object_created(bucket)
    app.synth()
    assert {stack.node.id for stack in workers.dependencies} == {"Platform", "Data"}
    assert not data.dependencies
    assert not platform.dependencies


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"visibility_timeout": Duration.seconds(20)},
            "visibility_timeout is 20 s, too short for a worker to renew it",
        ),
        ({"max_processing": Duration.hours(12)}, "max_processing is 12 hours; SQS keeps a message in flight for 12"),
        ({"max_processing": Duration.seconds(0)}, "max_processing is 0 s"),
        ({"acceptable_age": Duration.seconds(30)}, "acceptable_age is 30 s; SQS reports ages once a minute"),
        ({"acceptable_age": Duration.days(3)}, r"acceptable_age \(3 days\) exceeds half of the queue's retention"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 1_001}, "concurrency is 1001; a task handles 1 to 1000 messages at once"),
        ({"pacing": "fast"}, "pacing is 'fast'; use one of latency, economy"),
        ({"max_attempts": 0}, "max_attempts is 0; use 1 to 1000"),
        ({"max_attempts": 101}, "max_attempts is 101, but the queue gives a message up after 100 receives; lower"),
        ({"recycle_after": 0}, "recycle_after is 0; use 1 to 1000000000, or leave it out for never"),
        ({"max_message_bytes": 1_048_577}, "max_message_bytes is 1048577; use 1 to 1048576"),
        ({"max_downstream_rate": 0}, "max_downstream_rate is 0; use 1 to 1000000, or leave it out for no limit"),
        ({"max_downstream_rate": 10}, "max_downstream_rate is counted in Redis; give a RedisCache with eviction"),
        ({"cpu": 1_024}, "memory_mib is 512; with cpu=1024, Fargate takes 2048, 3072"),
        ({"spot_from": 10}, "spot_from is 10 of 10 tasks; use 0 to 9"),
        ({"spot_from": -1}, "spot_from is -1"),
    ],
)
def test_times_and_sizes_that_do_not_fit_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"Orders: {sentence}"):
        worker(Stack(), **options)


def test_more_messages_in_flight_than_a_queue_lets_be_are_refused() -> None:
    crowd = Scaling.on_queue_depth(max_tasks=1_500)
    assert worker(Stack(), scaling=crowd, concurrency=10).max_tasks == 1_500  # 2 x 1,500 tasks x (10 + 30) messages
    sentence = (
        "Orders: 1500 tasks, twice as many during a deployment, may hold 44 messages each, .* 120000 be in flight"
    )
    with pytest.raises(ValueError, match=sentence):
        worker(Stack(), scaling=crowd, concurrency=11)


def test_a_fifo_worker_holds_the_groups_that_wait_in_hand_as_well() -> None:
    crowd = Scaling.on_queue_depth(max_tasks=501)
    assert worker(Stack(), scaling=crowd, concurrency=10).max_tasks == 501
    with pytest.raises(ValueError, match=r"Orders: 501 tasks, .* may hold 120 messages each"):
        worker(Stack(), scaling=crowd, concurrency=10, fifo=True)


def test_a_message_has_ten_attempts_or_as_many_as_the_queue_allows(stacks: dict[str, Facts]) -> None:
    assert variables(stacks["default"])["MAX_ATTEMPTS"] == "10"
    assert variables(stacks["one-at-a-time"])["MAX_ATTEMPTS"] == "3"
    assert variables(stacks["elsewhere"])["MAX_ATTEMPTS"] == "10"


def test_claims_and_rates_are_kept_where_nothing_is_evicted() -> None:
    stack = Stack()
    ours = cluster(stack)
    evicting = RedisCache(stack, "Cache", cluster=ours)
    with pytest.raises(
        ValueError, match='Orders: claims are kept in a cache with eviction="allkeys-lru", which evicts them'
    ):
        worker(stack, cluster=ours, claims=evicting)
    with pytest.raises(ValueError, match="max_downstream_rate is counted in Redis"):
        QueueWorker(stack, "Invoices", cluster=ours, image=image(), cache=evicting, max_downstream_rate=10)


def test_a_task_connects_to_one_cache() -> None:
    stack = Stack()
    ours = cluster(stack)
    with pytest.raises(ValueError, match="claims and cache are two caches, and a task connects to one"):
        worker(
            stack,
            cluster=ours,
            claims=RedisCache(stack, "Locks", cluster=ours, eviction="noeviction"),
            cache=RedisCache(stack, "Cache", cluster=ours),
        )


def test_options_of_a_queue_are_not_taken_twice() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="set them there"):
        worker(stack, source=WorkerQueue(stack, "Queue"), visibility_timeout=Duration.minutes(5))


def test_an_existing_queue_cannot_be_turned_into_fifo() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="fifo=True is for a new queue"):
        worker(stack, source=sqs.Queue(stack, "Queue"), fifo=True)


@pytest.mark.parametrize("topic_is_fifo", [True, False])
def test_topic_and_queue_must_be_of_one_kind(topic_is_fifo: bool) -> None:
    stack = Stack()
    orders = worker(stack, fifo=not topic_is_fifo)
    with pytest.raises(ValueError, match="let both be of one kind"):
        orders.subscribe(sns.Topic(stack, "Topic", fifo=topic_is_fifo or None))


def test_objects_have_no_order_that_a_fifo_queue_could_keep() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="use a standard queue"):
        worker(stack, fifo=True).on_object_created(s3.Bucket(stack, "Files"))

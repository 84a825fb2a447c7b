"""A function on a queue: its mapping, limits, permissions, alarms, and what is refused."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks
from constructs import IConstruct

from fargate_workers import (
    Alerts,
    ConfigurationError,
    Database,
    DeadLetterRedrive,
    DeduplicationTable,
    QueueFunction,
    QueueWorker,
    RedisCache,
    WorkerCluster,
    WorkerQueue,
    worker_image,
)
from fargate_workers.compliance import acknowledgements
from fargate_workers_runtime.settings import Settings
from tests.contract.read_environment import ReadEnvironment
from tests.doubles.stack_facts import Facts, synthesize

DATABASE_HOST = "db.cluster-abc.eu-west-1.rds.amazonaws.com"
COMMAND = "order_pipeline.apply_orders"
# Not for the runtime: the name that an image for QueueProcessingFargateService looks for.
FOR_OTHERS = {"QUEUE_NAME"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def cluster(stack: Stack, **options: Any) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc, **options)


@pytest.fixture(scope="module")
def stacks(folder: Path) -> Mapping[str, Facts]:
    image = worker_image(folder)

    def function(stack: Stack, **options: Any) -> QueueFunction:
        return QueueFunction(stack, "Orders", image=options.pop("image", image), command=COMMAND, **options)

    def everything(stack: Stack) -> None:
        ours = cluster(stack, alerts=Alerts(stack, "Alerts"))
        made = function(
            stack,
            cluster=ours,
            max_concurrency=40,
            reserved_concurrency=50,
            batch_size=100,
            batch_window=Duration.seconds(5),
            concurrency=20,
            max_processing=Duration.minutes(5),
            max_attempts=7,
            max_message_bytes=1000,
            memory_mib=1024,
            environment={"MINE": "1"},
            tracing=True,
            claims=RedisCache(stack, "Locks", cluster=ours, eviction="noeviction"),
        )
        made.add_environment("LATER", "2")
        DeadLetterRedrive(stack, "Redrive", cluster=ours, workers=[made])
        made.allow(["s3:GetObject"], ["arn:aws:s3:::b/*"])

    def encrypted(stack: Stack) -> None:
        key = kms.Key(stack, "Key")
        queue = WorkerQueue(stack, "Q", encryption_key=key, visibility_timeout=Duration.minutes(30), fifo=True)
        function(stack, source=queue, claims=DeduplicationTable(stack, "Claims"))

    def existing(stack: Stack) -> None:
        dead = sqs.Queue(stack, "Dead")
        queue = sqs.Queue(
            stack,
            "Q",
            visibility_timeout=Duration.minutes(10),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=20),
        )
        function(stack, source=queue)

    def in_sql(stack: Stack) -> None:
        ours = cluster(stack)
        group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")
        database = Database.existing(
            stack,
            "Database",
            host=DATABASE_HOST,
            name="orders",
            user="worker",
            security_group=group,
            resource_id="cluster-ABC",
        )
        function(stack, cluster=ours, claims=database)

    def shared(stack: Stack) -> None:
        worker = QueueWorker(
            stack,
            "Worker",
            cluster=cluster(stack),
            image=image,
            source=WorkerQueue(stack, "Q", visibility_timeout=Duration.minutes(7)),
        )
        function(stack, source=worker.worker_queue, share=True)

    def shared_second(stack: Stack) -> None:
        made = function(stack, share=True)
        QueueWorker(stack, "Worker", cluster=cluster(stack), image=image, source=made.worker_queue)

    def events(stack: Stack) -> None:
        made = function(stack)
        made.subscribe(sns.Topic(stack, "Topic"))
        made.on_object_created(s3.Bucket(stack, "Bucket"))

    def from_ecr(stack: Stack) -> None:
        repository = ecr.Repository(stack, "Repository")
        function(stack, image=ecs.ContainerImage.from_ecr_repository(repository, "1"))

    return synthesize(
        {
            "plain": function,
            "everything": everything,
            "encrypted": encrypted,
            "existing": existing,
            "in-sql": in_sql,
            "shared": shared,
            "shared-second": shared_second,
            "events": events,
            "from-ecr": from_ecr,
            "large": lambda stack: function(
                stack, batch_size=100, batch_window=Duration.seconds(1), max_concurrency=1_000
            ),
            "short": lambda stack: function(stack, max_processing=Duration.seconds(1), timeout=Duration.seconds(6)),
            "provisioned": lambda stack: function(stack, provisioned_pollers=(2, 5)),
            "attribute": lambda stack: QueueFunction(stack, "Orders", image=image, command="shop.orders:on_order"),
        }
    )


def function_of(facts: Facts) -> dict[str, Any]:
    return facts.only("Lambda::Function", PackageType="Image")


def variables(facts: Facts) -> dict[str, str]:
    return dict(function_of(facts)["Environment"]["Variables"])


def test_the_function_runs_the_image_by_its_second_entry_point(stacks: Mapping[str, Facts]) -> None:
    function = function_of(stacks["plain"])
    assert function["PackageType"] == "Image"
    assert function["ImageConfig"] == {
        "EntryPoint": ["python", "-m", "awslambdaric"],
        "Command": ["order_pipeline.apply_orders.handler"],
    }
    assert function["Architectures"] == ["arm64"]
    assert "VpcConfig" not in function
    assert "TracingConfig" not in function
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function_of(stacks["attribute"])["ImageConfig"]["Command"] == ["shop.orders.on_order"]


def test_worker_and_function_run_one_image(stacks: Mapping[str, Facts]) -> None:
    shared = stacks["shared"]
    of_task = shared.only("ECS::TaskDefinition")["ContainerDefinitions"][0]["Image"]
    assert function_of(shared)["Code"] == {"ImageUri": of_task}


def test_an_image_in_ecr_is_taken_as_it_is(stacks: Mapping[str, Facts]) -> None:
    assert ":1" in json.dumps(function_of(stacks["from-ecr"])["Code"])


def test_the_mapping_reports_failures_one_by_one_and_limits_invocations(stacks: Mapping[str, Facts]) -> None:
    mapping = stacks["plain"].only("Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (10, {"MaximumConcurrency": 10})
    assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}
    assert "MaximumBatchingWindowInSeconds" not in mapping
    everything = stacks["everything"].only("Lambda::EventSourceMapping")
    assert (everything["BatchSize"], everything["MaximumBatchingWindowInSeconds"]) == (100, 5)
    assert everything["ScalingConfig"] == {"MaximumConcurrency": 40}
    provisioned = stacks["provisioned"].only("Lambda::EventSourceMapping")
    assert provisioned["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 5}
    assert "ScalingConfig" not in provisioned


def test_the_mapping_is_made_when_the_function_may_receive(stacks: Mapping[str, Facts]) -> None:
    (mapping,) = stacks["plain"].whole("Lambda::EventSourceMapping")
    assert stacks["plain"].id_of("IAM::ManagedPolicy") in mapping["DependsOn"]


def test_a_new_queue_hides_messages_for_six_time_outs_and_the_window(stacks: Mapping[str, Facts]) -> None:
    assert function_of(stacks["plain"])["Timeout"] == 70
    assert {each.get("VisibilityTimeout") for each in stacks["plain"].all("SQS::Queue")} == {420, None}
    assert function_of(stacks["everything"])["Timeout"] == 310
    assert 6 * 310 + 5 in {each.get("VisibilityTimeout") for each in stacks["everything"].all("SQS::Queue")}


def test_a_shorter_time_out_brings_messages_back_sooner(stacks: Mapping[str, Facts]) -> None:
    assert function_of(stacks["short"])["Timeout"] == 6
    (queue,) = [each for each in stacks["short"].all("SQS::Queue") if "RedrivePolicy" in each]
    assert queue["VisibilityTimeout"] == 36


def test_the_dead_letter_queue_is_the_queues_and_not_the_functions(stacks: Mapping[str, Facts]) -> None:
    assert "DeadLetterConfig" not in function_of(stacks["plain"])
    assert sum("RedrivePolicy" in each for each in stacks["plain"].all("SQS::Queue")) == 1


def test_it_may_do_what_the_queue_takes_and_no_more(stacks: Mapping[str, Facts]) -> None:
    actions = sorted(
        action
        for statement in stacks["plain"].statements()
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    )
    assert actions == [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    ]
    assert not any(statement["Resource"] == "*" for statement in stacks["plain"].statements())
    everything = json.dumps(stacks["everything"].statements())
    for action in ("s3:GetObject", "elasticache:Connect", "xray:PutTraceSegments", "ec2:CreateNetworkInterface"):
        assert action in everything
    assert "kms:Decrypt" in json.dumps(stacks["encrypted"].statements())
    assert "dynamodb:" in json.dumps(stacks["encrypted"].statements())


def test_the_runtime_reads_every_variable_that_is_set(stacks: Mapping[str, Facts]) -> None:
    for name in ("plain", "encrypted", "shared"):
        texts = {key: value if isinstance(value, str) else "6380" for key, value in variables(stacks[name]).items()}
        environment = ReadEnvironment(texts)
        Settings.from_environment(environment)
        assert set(environment) - FOR_OTHERS - environment.read == set()


def test_options_become_settings(stacks: Mapping[str, Facts]) -> None:
    told = Settings.from_environment(
        {name: value if isinstance(value, str) else "6380" for name, value in variables(stacks["everything"]).items()}
    )
    assert (told.max_processing, told.concurrency, told.max_attempts) == (300, 20, 7)
    assert (told.lease, told.max_receive_count, told.max_message_bytes) == (1865, 100, 1000)
    assert told.claim_store == "redis"
    assert told.worker_name == "everything/Orders"
    assert {"MINE": "1", "LATER": "2"}.items() <= variables(stacks["everything"]).items()


def test_in_a_clusters_network_it_reaches_https_and_its_cache(stacks: Mapping[str, Facts]) -> None:
    facts = stacks["everything"]
    assert function_of(facts)["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    assert function_of(facts)["ReservedConcurrentExecutions"] == 50
    assert function_of(facts)["TracingConfig"] == {"Mode": "Active"}
    assert any(each["FromPort"] != 443 for each in facts.all("EC2::SecurityGroupEgress"))


def test_claims_may_be_rows_of_a_database(stacks: Mapping[str, Facts]) -> None:
    assert {
        "CLAIM_STORE": "postgres",
        "DATABASE_HOST": DATABASE_HOST,
    }.items() <= variables(stacks["in-sql"]).items()
    assert "rds-db:connect" in json.dumps(stacks["in-sql"].statements())


def test_alarms_cover_queue_handler_and_invocations(stacks: Mapping[str, Facts]) -> None:
    texts = [each["AlarmDescription"] for each in stacks["existing"].all("CloudWatch::Alarm")]
    pages = {json.dumps(text).rsplit("/", 1)[1].split(".md")[0] for text in texts}
    assert pages == {
        "dead-letters",
        "dead-letters-rising",
        "oldest-message-too-old",
        "queue-stuck",
        "handler-failing",
        "outcomes-given-up",
        "function-failing",
        "function-throttled",
        "at-max-concurrency",
        "not-invoked",
    }
    assert all(len(each["AlarmActions"]) == 1 for each in stacks["everything"].all("CloudWatch::Alarm"))


def test_consumers_that_share_a_queue_keep_their_claims_under_one_name(stacks: Mapping[str, Facts]) -> None:
    assert variables(stacks["shared"])["CLAIMS_SCOPE"] == "shared/Worker"
    assert "CLAIMS_SCOPE" not in variables(stacks["plain"])
    (container,) = stacks["shared-second"].only("ECS::TaskDefinition")["ContainerDefinitions"]
    assert {"Name": "CLAIMS_SCOPE", "Value": "shared-second/Orders"} in container["Environment"]
    (container,) = stacks["shared"].only("ECS::TaskDefinition")["ContainerDefinitions"]
    assert "CLAIMS_SCOPE" not in {each["Name"] for each in container["Environment"]}


def test_its_dead_letters_are_redriven_like_a_workers(stacks: Mapping[str, Facts]) -> None:
    facts = stacks["everything"]
    redrive = facts.only("Lambda::Function", Handler="fargate_workers_redrive.handler.handler")
    assert "Orders" in json.dumps(redrive["Environment"]["Variables"]["QUEUES"])
    assert any("Once the cause is gone" in json.dumps(each) for each in facts.all("CloudWatch::Alarm"))


def test_scanners_find_what_is_acknowledged_in_the_template(stacks: Mapping[str, Facts]) -> None:
    def skipped(name: str, kind: str) -> set[str]:
        return {
            each["id"]
            for found in stacks[name].whole(kind)
            if found["Properties"].get("PackageType") == "Image" or kind != "Lambda::Function"
            for each in found.get("Metadata", {}).get("checkov", {}).get("skip", [])
        }

    assert skipped("plain", "Lambda::Function") == {"CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CKV_AWS_173"}
    assert skipped("everything", "Lambda::Function") == {"CKV_AWS_116", "CKV_AWS_173"}
    assert "CKV_AWS_111" in skipped("everything", "IAM::ManagedPolicy")
    assert skipped("plain", "IAM::ManagedPolicy") == set()


def test_a_topic_and_a_bucket_send_to_its_queue(stacks: Mapping[str, Facts]) -> None:
    assert stacks["events"].count("SNS::Subscription") == 1
    assert stacks["events"].count("Events::Rule") == 1


def by_password(stack: Stack, image: ecs.ContainerImage) -> object:
    database = Database.existing(
        stack,
        "Database",
        host=DATABASE_HOST,
        name="orders",
        user="worker",
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1"),
        password=ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret")),
    )
    return QueueFunction(stack, "Orders", image=image, command=COMMAND, cluster=cluster(stack), claims=database)


Refused = Callable[[Stack, ecs.ContainerImage], object]


def refused(**options: Any) -> Refused:
    return lambda stack, image: QueueFunction(stack, "Orders", image=image, command=COMMAND, **options)


def short_queue(stack: Stack, image: ecs.ContainerImage) -> object:
    source = WorkerQueue(stack, "Q", visibility_timeout=Duration.minutes(5))
    return QueueFunction(stack, "Orders", image=image, command=COMMAND, source=source)


def short_existing(stack: Stack, image: ecs.ContainerImage) -> object:
    queue = sqs.Queue(
        stack, "Q", dead_letter_queue=sqs.DeadLetterQueue(queue=sqs.Queue(stack, "D"), max_receive_count=9)
    )
    claimed = Duration.hours(1)
    return QueueFunction(stack, "Orders", image=image, command=COMMAND, source=queue, visibility_timeout=claimed)


def second_worker(stack: Stack, image: ecs.ContainerImage) -> object:
    made = QueueFunction(stack, "Orders", image=image, command=COMMAND)
    return QueueWorker(stack, "Worker", cluster=cluster(stack), image=image, source=made.worker_queue)


def second_function(stack: Stack, image: ecs.ContainerImage) -> object:
    made = QueueFunction(stack, "First", image=image, command=COMMAND)
    return QueueFunction(stack, "Orders", image=image, command=COMMAND, source=made.queue)


def imported_twice(stack: Stack, image: ecs.ContainerImage) -> object:
    def queue(name: str) -> sqs.IQueue:
        return sqs.Queue.from_queue_arn(stack, name, f"arn:aws:sqs:eu-west-1:123456789012:{name[:-1]}")

    for number in (1, 2):
        visibility = Duration.hours(1)
        made = QueueFunction(
            stack,
            f"Orders{number}",
            image=image,
            command=COMMAND,
            source=queue(f"orders{number}"),
            dead_letter_queue=queue(f"dead{number}"),
            visibility_timeout=visibility,
        )
    return made


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (refused(max_processing=Duration.minutes(15)), "max_processing is 15 min; Lambda ends a function after 15 min"),
        (
            refused(timeout=Duration.seconds(64)),
            "timeout is 64 s; the runtime needs 5 s after a handler's longest (1 min)",
        ),
        (refused(timeout=Duration.seconds(901)), "Lambda ends a function after 15 min: use 65 to 900 s"),
        (refused(max_concurrency=1), "max_concurrency is 1; Lambda takes 2 to 1000"),
        (refused(max_concurrency=1001), "Lambda takes 2 to 1000"),
        (refused(max_concurrency=20, reserved_concurrency=10), "exceed reserved_concurrency=10"),
        (refused(max_concurrency=20, provisioned_pollers=(2, 5)), "exclude each other"),
        (refused(provisioned_pollers=(1, 5)), "1 as the fewest; Lambda takes 2 to 200"),
        (refused(provisioned_pollers=(2, 2001)), "2001 as the most; Lambda takes 2 to 2000"),
        (refused(provisioned_pollers=(20, 10)), "put the fewest first"),
        (
            refused(batch_size=1_000, batch_window=Duration.seconds(1), max_concurrency=200),
            "200 invocations of 1000 messages are more than the 120000",
        ),
        (refused(batch_size=11), "needs messages to gather"),
        (refused(batch_size=0), "batch_size is 0; Lambda takes 1 to 10000 of a standard queue"),
        (refused(batch_size=20, fifo=True), "Lambda takes 1 to 10 of a FIFO queue"),
        (refused(fifo=True, batch_window=Duration.seconds(1)), "leave batch_window out"),
        (refused(batch_window=Duration.minutes(6)), "Lambda takes 0 to 300 s"),
        (refused(visibility_timeout=Duration.seconds(419)), "make it 7 min or more"),
        (refused(memory_mib=64), "Lambda takes 128 to 10240"),
        (refused(concurrency=0), "concurrency is 0"),
        (short_queue, "visibility_timeout is 5 min, and Lambda needs 6 times the function's time-out"),
        (short_existing, "visibility_timeout is 30 s"),
        (by_password, "Lambda passes no secret as a variable"),
        (second_worker, "the QueueFunction Orders drains this queue already"),
        (second_function, "the QueueFunction First drains this queue already"),
        (imported_twice, "the QueueFunction Orders1 drains this queue already"),
        (
            lambda stack, _image: QueueFunction(
                stack, "Orders", image=ecs.ContainerImage.from_registry("x/y"), command=COMMAND
            ),
            "a function runs an image of ECR",
        ),
        (
            lambda stack, image: QueueFunction(stack, "Orders", image=image, command="python -m orders"),
            "name the module of the handler",
        ),
        (
            lambda stack, image: QueueFunction(
                stack,
                "Orders",
                image=image,
                command=COMMAND,
                cache=RedisCache(stack, "Cache", cluster=cluster(stack)),
            ),
            "a cache is only reached in its network",
        ),
        (
            lambda stack, image: QueueFunction(
                stack, "Orders", image=image, command=COMMAND, cluster=WorkerCluster(stack, "C", network="public")
            ),
            "gives a function no way out",
        ),
        (
            lambda stack, image: QueueFunction(stack, "Orders", image=image, command=COMMAND).connections,
            "it runs in no network",
        ),
    ],
)
def test_what_lambda_would_not_bear_is_refused_in_one_sentence(folder: Path, build: Refused, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        build(Stack(App(), "s", env=Environment(account="123456789012", region="eu-west-1")), worker_image(folder))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_queue_that_gives_up_early_is_announced(folder: Path) -> None:
    app = App()
    stack = Stack(app, "s")
    source = WorkerQueue(stack, "Q", visibility_timeout=Duration.minutes(7), max_receive_count=3)
    QueueFunction(stack, "Orders", image=worker_image(folder), command=COMMAND, source=source)
    warnings = [str(entry.data) for each in stack.node.find_all() for entry in each.node.metadata]
    assert any("AWS advises 5 or more" in each for each in warnings)


def test_rule_packs_find_what_is_acknowledged_and_nothing_else(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: set[tuple[str, str]] = set()

    class Recorder:
        def __init__(self, construct: IConstruct) -> None:
            self._path = construct.node.path

        @classmethod
        def of(cls, construct: IConstruct) -> "Recorder":
            return cls(construct)

        def acknowledge(self, *acknowledgments: Any) -> None:
            acknowledged.update((each.id, self._path) for each in acknowledgments)

    monkeypatch.setattr(acknowledgements, "Validations", Recorder)
    app = App(outdir=str(tmp_path))
    image = worker_image(folder)
    outside, inside = Stack(app, "outside"), Stack(app, "inside")
    QueueFunction(outside, "Orders", image=image, command=COMMAND, alerts=Alerts(outside, "Alerts"))
    key = kms.Key.from_key_arn(inside, "Key", "arn:aws:kms:eu-west-1:123456789012:key/k")
    ours = cluster(inside, alerts=Alerts(inside, "Alerts"), log_encryption_key=key)
    QueueFunction(inside, "Orders", image=image, command=COMMAND, cluster=ours, tracing=True, reserved_concurrency=10)
    app.synth()
    found = {
        (violation.rule_name, resource.construct_path)
        for pack in (AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks)
        for violation in pack(app).validate_scope(app).violations
        for resource in violation.violating_resources
        if "/Orders/" in resource.construct_path
        # The key of a log is the cluster's, and a function outside of one has none.
        and not (violation.rule_name.endswith("LogGroupEncrypted") and resource.construct_path.startswith("outside"))
    }
    acknowledged = {each for each in acknowledged if "/Orders/" in each[1]}
    covered = {
        (rule, path)
        for rule, path in found
        for known, place in acknowledged
        if rule == known and (path + "/").startswith(place + "/")
    }
    assert sorted(found - covered) == []
    stale = {
        (known, place)
        for known, place in acknowledged
        if not any(rule == known and (path + "/").startswith(place + "/") for rule, path in found)
    }
    assert sorted(stale) == []

"""The database, who may connect to it, and how much."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from fargate_workers import Database, QueueWorker, RedisCache, Scaling, ScheduledTask, WorkerCluster
from tests.doubles.stack_facts import Facts, image, synthesize

HOST = "orders.cluster-c1.eu-west-1.rds.amazonaws.com"


def vpc_of(stack: Stack, *zones: str) -> ec2.IVpc:
    zones = zones or ("eu-west-1a", "eu-west-1b")
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=list(zones),
        private_subnet_ids=[f"subnet-{zone}" for zone in zones],
    )


def cluster_of(stack: Stack) -> WorkerCluster:
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc_of(stack))


def group_of(stack: Stack) -> ec2.ISecurityGroup:
    return ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0a1b2c3d")


def existing(stack: Stack, **arguments: Any) -> Any:
    given: dict[str, Any] = {
        "host": HOST,
        "name": "orders",
        "user": "worker",
        "security_group": group_of(stack),
        **arguments,
    }
    return Database.existing(stack, "Orders", **given)


def plain(stack: Stack) -> None:
    cluster = cluster_of(stack)
    QueueWorker(stack, "Apply", cluster=cluster, image=image(), claims=Database(stack, "Orders", cluster=cluster))


def chosen(stack: Stack) -> None:
    cluster = cluster_of(stack)
    database = Database(
        stack,
        "Orders",
        cluster=cluster,
        name="shop",
        user="apply",
        min_acu=2,
        max_acu=16,
        multi_az=False,
        backup_retention=Duration.days(21),
        idle_transaction=Duration.hours(2),
        keep_claims=Duration.days(7),
        connections_per_process=25,
        data_api=False,
        encryption_key=kms.Key(stack, "Key"),
        deletion_protection=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    QueueWorker(
        stack,
        "Apply",
        cluster=cluster,
        image=image(),
        claims=database,
        cpu=4_096,
        memory_mib=8_192,
        max_processing=Duration.hours(2),
        scaling=Scaling.for_latency(max_tasks=3),
    )


def by_password(stack: Stack) -> None:
    cluster = WorkerCluster(stack, "Cluster", network="endpoints")
    secret = secretsmanager.Secret.from_secret_complete_arn(
        stack, "Secret", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:worker-AbCdEf"
    )
    password = ecs.Secret.from_secrets_manager(secret, "password")
    database = existing(stack, port=6432, password=password, max_connections=500)
    QueueWorker(stack, "Apply", cluster=cluster, image=image(), claims=database)


def by_iam(stack: Stack) -> None:
    cluster = WorkerCluster(stack, "Cluster", network="endpoints")
    database = existing(stack, resource_id="cluster-ABC123")
    QueueWorker(stack, "Apply", cluster=cluster, image=image(), claims=database)


def granted(stack: Stack) -> None:
    cluster = cluster_of(stack)
    database = Database(stack, "Orders", cluster=cluster)
    database.grant_connect(QueueWorker(stack, "Apply", cluster=cluster, image=image()), connections_per_process=3)


STACKS: Mapping[str, Callable[[Stack], None]] = {
    "plain": plain,
    "chosen": chosen,
    "password": by_password,
    "iam": by_iam,
    "granted": granted,
}


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize(STACKS)


def container(facts: Facts) -> dict[str, Any]:
    (definition,) = facts.only("ECS::TaskDefinition")["ContainerDefinitions"]
    return dict(definition)


def variables(facts: Facts) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container(facts)["Environment"]}


def test_a_database_is_a_small_aurora_with_a_standby_in_another_zone(stacks: dict[str, Facts]) -> None:
    cluster = stacks["plain"].only("RDS::DBCluster")

    assert (cluster["Engine"], cluster["EngineVersion"].split(".")[0]) == ("aurora-postgresql", "17")
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 4}
    assert (cluster["DatabaseName"], cluster["Port"]) == ("app", 5432)
    assert [each["DBInstanceClass"] for each in stacks["plain"].all("RDS::DBInstance")] == ["db.serverless"] * 2
    # A standby that grows with the writer can take over at any load.
    assert [each["PromotionTier"] for each in stacks["plain"].all("RDS::DBInstance")] == [0, 1]


def test_nothing_but_workers_of_its_own_network_reaches_it(stacks: dict[str, Facts]) -> None:
    facts = stacks["plain"]
    port = {"FromPort": 5432, "ToPort": 5432, "IpProtocol": "tcp"}

    assert {each["PubliclyAccessible"] for each in facts.all("RDS::DBInstance")} == {False}
    facts.only("EC2::SecurityGroupIngress", **port)
    facts.only("EC2::SecurityGroupEgress", **port)
    facts.only("RDS::DBSubnetGroup", SubnetIds=["subnet-eu-west-1a", "subnet-eu-west-1b"])


def test_what_it_stores_and_sends_is_encrypted(stacks: dict[str, Facts]) -> None:
    parameters = stacks["plain"].only("RDS::DBClusterParameterGroup")["Parameters"]

    assert stacks["plain"].only("RDS::DBCluster")["StorageEncrypted"] is True
    assert "KmsKeyId" not in stacks["plain"].only("RDS::DBCluster")
    assert "KmsKeyId" in stacks["chosen"].only("RDS::DBCluster")
    assert parameters["rds.force_ssl"] == "1"


def test_a_host_that_vanished_keeps_no_lock_for_ever(stacks: dict[str, Facts]) -> None:
    parameters = stacks["plain"].only("RDS::DBClusterParameterGroup")["Parameters"]

    assert parameters["idle_in_transaction_session_timeout"] == str(15 * 60 * 1_000)
    assert int(parameters["tcp_keepalives_idle"]) + 3 * int(parameters["tcp_keepalives_interval"]) <= 60


def test_rds_makes_the_master_users_password_and_no_worker_receives_it(stacks: dict[str, Facts]) -> None:
    facts = stacks["plain"]
    cluster = facts.only("RDS::DBCluster")

    assert cluster["ManageMasterUserPassword"] is True
    assert not {"MasterUserPassword", "MasterUserSecret"} & set(cluster)
    assert "Secrets" not in container(facts)
    assert "secretsmanager:" not in json.dumps(facts.statements())


def test_it_is_backed_up_for_a_week_and_leaves_a_last_snapshot(stacks: dict[str, Facts]) -> None:
    (cluster,) = stacks["plain"].whole("RDS::DBCluster")

    assert cluster["Properties"]["BackupRetentionPeriod"] == 7
    assert cluster["Properties"]["DeletionProtection"] is False
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")


def test_its_log_is_in_a_group_that_exists_before_and_ends(stacks: dict[str, Facts]) -> None:
    facts = stacks["plain"]
    (cluster,) = facts.whole("RDS::DBCluster")
    log_group = facts.id_of("Logs::LogGroup", LogGroupName=log_group_name(facts))

    assert cluster["Properties"]["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert log_group in cluster["DependsOn"]
    assert facts.only("Logs::LogGroup", LogGroupName=log_group_name(facts))["RetentionInDays"] == 30


def log_group_name(facts: Facts) -> Any:
    """Where RDS writes the log of this cluster."""
    identifier = facts.only("RDS::DBCluster")["DBClusterIdentifier"]["Fn::Join"][1]
    return {"Fn::Join": ["", [f"/aws/rds/cluster/{identifier[0]}", identifier[1], "/postgresql"]]}


def test_a_stack_that_is_made_again_has_a_cluster_of_another_name(stacks: dict[str, Facts]) -> None:
    begin, end = stacks["plain"].only("RDS::DBCluster")["DBClusterIdentifier"]["Fn::Join"][1]

    assert begin == begin.lower()
    assert begin[0].isalpha()
    assert begin.removesuffix("-").isalnum()
    assert len(begin) + len("0123abcd") <= 63
    assert "AWS::StackId" in json.dumps(end)


def test_options_become_properties(stacks: dict[str, Facts]) -> None:
    facts = stacks["chosen"]
    cluster = facts.only("RDS::DBCluster")

    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 2, "MaxCapacity": 16}
    assert (cluster["DatabaseName"], cluster["BackupRetentionPeriod"]) == ("shop", 21)
    assert (cluster["DeletionProtection"], cluster.get("EnableHttpEndpoint", False)) == (True, False)
    assert facts.count("RDS::DBInstance") == 1
    assert (variables(facts)["DATABASE_CONNECTIONS"], variables(facts)["DATABASE_USER"]) == ("25", "apply")
    assert variables(facts)["DATABASE_KEEP_SECONDS"] == str(7 * 86_400)
    parameters = facts.only("RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters["idle_in_transaction_session_timeout"] == str(7_200_000)


def test_a_retained_database_keeps_what_it_stands_on(stacks: dict[str, Facts]) -> None:
    kept = {
        each["Type"].rsplit("::")[-1]
        for logical_id, each in stacks["chosen"].resources.items()
        if each.get("DeletionPolicy") == "RetainExceptOnCreate" and logical_id.startswith("Orders")
    }

    assert kept == {"DBCluster", "DBInstance", "DBClusterParameterGroup", "DBSubnetGroup", "SecurityGroup"}


def test_connecting_takes_one_action_on_this_cluster_and_this_user(stacks: dict[str, Facts]) -> None:
    (statement,) = [
        each for each in stacks["plain"].statements() if "rds-db" in json.dumps(each) and each["Effect"] == "Allow"
    ]
    resource = json.dumps(statement["Resource"])

    assert statement["Action"] == "rds-db:connect"
    assert ":rds-db:" in resource
    assert ":dbuser:" in resource
    assert "DBClusterResourceId" in resource
    assert "/worker" in resource
    assert "*" not in resource


def test_a_worker_learns_where_how_and_how_much(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["plain"])

    assert found["CLAIM_STORE"] == "postgres"
    assert "Endpoint.Address" in json.dumps(found["DATABASE_HOST"])
    assert "Endpoint.Port" in json.dumps(found["DATABASE_PORT"])
    known = {name: value for name, value in found.items() if name.startswith("DATABASE_") and isinstance(value, str)}
    assert known == {
        "DATABASE_NAME": "app",
        "DATABASE_USER": "worker",
        "DATABASE_AUTHENTICATION": "iam",
        "DATABASE_CONNECTIONS": "10",
        "DATABASE_KEEP_SECONDS": str(28 * 86_400),
    }


def test_a_password_is_a_secret_and_reached_in_isolated_subnets(stacks: dict[str, Facts]) -> None:
    facts = stacks["password"]

    assert variables(facts)["DATABASE_AUTHENTICATION"] == "password"
    assert [each["Name"] for each in container(facts)["Secrets"]] == ["DATABASE_PASSWORD"]
    assert "rds-db" not in json.dumps(facts.statements())
    assert "secretsmanager" in json.dumps(facts.all("EC2::VPCEndpoint"))
    facts.only("EC2::SecurityGroupIngress", FromPort=6432, GroupId="sg-0a1b2c3d")


def test_iam_takes_no_interface_endpoint_and_no_resource_but_a_rule(stacks: dict[str, Facts]) -> None:
    facts = stacks["iam"]
    endpoints = json.dumps(facts.all("EC2::VPCEndpoint"))

    assert not [each for each in facts.resources.values() if each["Type"].startswith("AWS::RDS::")]
    assert "secretsmanager" not in endpoints
    assert ".rds" not in endpoints
    assert "dbuser:cluster-ABC123/worker" in json.dumps(facts.statements())
    assert variables(facts)["DATABASE_HOST"] == HOST


def test_a_worker_may_connect_without_claims(stacks: dict[str, Facts]) -> None:
    found = variables(stacks["granted"])

    assert "CLAIM_STORE" not in found
    assert found["DATABASE_CONNECTIONS"] == "3"
    assert "rds-db:connect" in json.dumps(stacks["granted"].statements())
    stacks["granted"].only("EC2::SecurityGroupIngress", FromPort=5432)


def test_processes_have_pools_of_their_own(stacks: dict[str, Facts]) -> None:
    assert variables(stacks["chosen"])["PROCESSES"] == "4"

    stack = Stack(App(), "Crowd")
    cluster = cluster_of(stack)
    database = Database(stack, "Orders", cluster=cluster)
    database.access("Apply", max_tasks=5, processes=4)

    assert database.budget is not None
    assert database.budget.used == 2 * 5 * 4 * 10


def test_a_database_watches_itself(stacks: dict[str, Facts]) -> None:
    alarms = {
        each["MetricName"]: each
        for each in stacks["plain"].all("CloudWatch::Alarm")
        if each.get("Namespace") == "AWS/RDS"
    }

    assert set(alarms) == {"ACUUtilization", "DatabaseConnections", "FreeableMemory", "Deadlocks"}
    assert alarms["DatabaseConnections"]["Threshold"] == 822 * 8 // 10
    assert alarms["FreeableMemory"]["Threshold"] == int(0.1 * 8 * 1024**3)
    assert {each["Dimensions"][0]["Name"] for each in alarms.values()} == {"DBClusterIdentifier"}


def make(stack: Stack, **arguments: Any) -> Database:
    return Database(stack, "Orders", cluster=cluster_of(stack), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_acu": 5}, r"Orders: min_acu \(5\) exceeds max_acu \(4\); lower it"),
        ({"max_acu": 4.2}, "Orders: max_acu is 4.2; Aurora takes 1 to 256 ACU in steps of 0.5"),
        ({"user": "postgres"}, "Orders: user is 'postgres', who may do everything; give workers a role of their own"),
        ({"user": "The-Worker"}, "Orders: user is 'The-Worker'; use lowercase letters, digits and underscores"),
        ({"name": "1orders"}, "Orders: name is '1orders'; use lowercase letters"),
        ({"backup_retention": Duration.days(36)}, "Orders: backup_retention is 36 days; use 1 to 35 whole days"),
        ({"backup_retention": Duration.hours(30)}, "Orders: backup_retention is 30 hours; use 1 to 35 whole days"),
        ({"idle_transaction": Duration.seconds(5)}, "Orders: idle_transaction is 5 s; use a minute to a day"),
        ({"connections_per_process": 0}, "Orders: connections_per_process is 0; use 1 to 1000"),
        ({"keep_claims": Duration.days(4_000)}, "Orders: keep_claims is 4000 days; keep them ten years at most"),
        ({"keep_claims": Duration.hours(1)}, "Orders: keep_claims is 1 hours, and a message may come back days later"),
    ],
)
def test_an_impossible_database_gets_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(Stack(App(), "Wrong"), **arguments)


def test_a_cluster_of_one_zone_gets_one_sentence() -> None:
    stack = Stack(App(), "Wrong")
    cluster = WorkerCluster(stack, "Cluster", network="nat", vpc=vpc_of(stack, "eu-west-1a"))

    with pytest.raises(ValueError, match="Orders: the cluster has one zone, and Aurora stands in two or more"):
        Database(stack, "Orders", cluster=cluster)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Orders: neither resource_id nor password is given; give resource_id to sign in with IAM, or password"),
        (
            {"resource_id": "cluster-ABC", "password": "secret"},
            "Orders: both resource_id and password is given",
        ),
        (
            {"resource_id": "orders-cluster"},
            "Orders: resource_id is 'orders-cluster'; IAM knows a database by an id such as \"cluster-ABC123\"",
        ),
        (
            {"host": "orders.cluster-ro-c1.eu-west-1.rds.amazonaws.com", "resource_id": "cluster-ABC"},
            "is the endpoint of the readers, and claims are written; give the cluster's own",
        ),
        (
            {"host": "postgresql://orders:5432", "resource_id": "cluster-ABC"},
            "is no name of a host; give the endpoint alone",
        ),
        (
            {"host": "orders.example.internal", "resource_id": "cluster-ABC"},
            "Orders: host 'orders.example.internal' is not a name of RDS, for which alone IAM's tokens are signed",
        ),
        ({"port": 0, "resource_id": "cluster-ABC"}, "Orders: port is 0; use 1 to 65535"),
        ({"user": "", "resource_id": "cluster-ABC"}, "Orders: user is ''; use lowercase letters"),
        (
            {"resource_id": "cluster-ABC", "max_connections": 0},
            "Orders: max_connections is 0; use what the server accepts",
        ),
    ],
)
def test_an_existing_database_that_cannot_work_gets_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        existing(Stack(App(), "Wrong"), **arguments)


def test_workers_that_could_open_too_many_connections_are_refused() -> None:
    stack = Stack(App(), "Crowd")
    cluster = cluster_of(stack)
    database = Database(stack, "Orders", cluster=cluster, max_acu=1)
    database.access("Apply", max_tasks=20, connections_per_process=2)

    with pytest.raises(ValueError, match="Orders") as raised:
        database.access("Report", max_tasks=20, connections_per_process=2)

    assert str(raised.value) == (
        "Orders: workers may open 160 connections, but it bears 151 (80 % of its writer's 189): "
        "Apply 2 x 20 tasks x 2 = 80, Report 2 x 20 tasks x 2 = 80; "
        "lower max_tasks or connections_per_process, or raise max_acu."
    )


def test_a_handler_that_outlasts_its_transaction_is_refused() -> None:
    stack = Stack(App(), "Slow")
    cluster = cluster_of(stack)
    database = Database(stack, "Orders", cluster=cluster)

    with pytest.raises(ValueError, match="max_processing is 20 min, and Orders ends a transaction that sends nothing"):
        QueueWorker(
            stack, "Apply", cluster=cluster, image=image(), claims=database, max_processing=Duration.minutes(20)
        )


def test_a_run_of_a_schedule_has_no_message_to_record() -> None:
    stack = Stack(App(), "Scheduled")
    cluster = cluster_of(stack)
    claims: Any = Database(stack, "Orders", cluster=cluster)

    with pytest.raises(ValueError, match="give a DeduplicationTable or a RedisCache, or to a QueueWorker a Database"):
        ScheduledTask(stack, "Report", cluster=cluster, image=image(), schedule="rate(1 hour)", claims=claims)


def test_a_rate_is_counted_in_redis_beside_a_database() -> None:
    stack = Stack(App(), "Paced")
    cluster = cluster_of(stack)
    database = Database(stack, "Orders", cluster=cluster)
    counters = RedisCache(stack, "Counters", cluster=cluster, eviction="noeviction")

    worker = QueueWorker(
        stack, "Apply", cluster=cluster, image=image(), claims=database, cache=counters, max_downstream_rate=5
    )

    assert worker.max_tasks == 10
    with pytest.raises(ValueError, match="Other: max_downstream_rate is counted in Redis"):
        QueueWorker(stack, "Other", cluster=cluster, image=image(), claims=database, max_downstream_rate=5)

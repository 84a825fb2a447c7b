"""A database's variables: exactly those by which the runtime finds it, signs in, and keeps its claims."""

from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager

from fargate_workers import Database, QueueWorker, WorkerCluster
from fargate_workers.stores.postgres_database import LONGEST_KEPT
from fargate_workers_runtime import PostgresSettings
from fargate_workers_runtime.settings import Settings
from tests.contract.read_environment import ReadEnvironment
from tests.doubles.stack_facts import Facts, image, synthesize

# DATABASE_CA_FILE is right as it is in every image, so no construct sets it; a worker's own `environment` may.
OF_EVERY_DATABASE = {
    "CLAIM_STORE",
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_NAME",
    "DATABASE_USER",
    "DATABASE_AUTHENTICATION",
    "DATABASE_CONNECTIONS",
    "DATABASE_KEEP_SECONDS",
}
SECRETS = {"iam": set[str](), "password": {"DATABASE_PASSWORD"}}


@pytest.fixture(scope="module")
def containers() -> dict[str, dict[str, Any]]:
    """The container of a worker that signs in with IAM, and of one with a password."""

    def cluster(stack: Stack) -> WorkerCluster:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-1",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-1", "subnet-2"],
        )
        return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc)

    def iam(stack: Stack) -> None:
        ours = cluster(stack)
        QueueWorker(stack, "Apply", cluster=ours, image=image(), claims=Database(stack, "Orders", cluster=ours))

    def password(stack: Stack) -> None:
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "worker")
        orders = Database.existing(
            stack,
            "Orders",
            host="orders.example.internal",
            name="orders",
            user="worker",
            security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1"),
            password=ecs.Secret.from_secrets_manager(secret),
        )
        QueueWorker(stack, "Apply", cluster=cluster(stack), image=image(), claims=orders)

    def container(facts: Facts) -> dict[str, Any]:
        (definition,) = facts.only("ECS::TaskDefinition")["ContainerDefinitions"]
        return dict(definition)

    return {name: container(facts) for name, facts in synthesize({"iam": iam, "password": password}).items()}


@pytest.mark.parametrize("authentication", ["iam", "password"])
def test_a_worker_with_a_database_sets_these_variables_and_no_other(
    authentication: str, containers: dict[str, dict[str, Any]]
) -> None:
    container = containers[authentication]
    variables = {each["Name"]: each["Value"] for each in container["Environment"]}

    assert {name for name in variables if name.startswith(("DATABASE_", "CLAIM"))} == OF_EVERY_DATABASE
    assert variables["CLAIM_STORE"] == "postgres"
    assert variables["DATABASE_AUTHENTICATION"] == authentication
    assert {each["Name"] for each in container.get("Secrets", [])} == SECRETS[authentication]


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    """What the task has; a value known only at deployment is one that any reader accepts."""
    known = {
        each["Name"]: each["Value"] if isinstance(each["Value"], str) else "5432" for each in container["Environment"]
    }
    return {**known, **{each["Name"]: "secret" for each in container.get("Secrets", [])}, "AWS_REGION": "eu-west-1"}


@pytest.mark.parametrize("authentication", ["iam", "password"])
def test_the_runtime_reads_each_of_them(authentication: str, containers: dict[str, dict[str, Any]]) -> None:
    environment = ReadEnvironment(environment_of(containers[authentication]))

    assert Settings.from_environment(environment).claim_store == "postgres"
    settings = PostgresSettings.from_environment(environment)

    expected = OF_EVERY_DATABASE | SECRETS[authentication]
    assert {name for name in environment.read if name.startswith(("DATABASE_", "CLAIM_"))} >= expected
    assert (settings.authentication, settings.connections, settings.keep_seconds) == (authentication, 10, 28 * 86_400)


def test_the_longest_that_a_construct_keeps_claims_the_runtime_keeps_them(
    containers: dict[str, dict[str, Any]],
) -> None:
    longest = {**environment_of(containers["iam"]), "DATABASE_KEEP_SECONDS": str(LONGEST_KEPT)}

    assert PostgresSettings.from_environment(longest).keep_seconds == LONGEST_KEPT

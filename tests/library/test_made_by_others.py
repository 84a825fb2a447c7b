"""Roles, boundaries and registries that other teams decide on: it synthesizes, and nothing is granted in silence."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Template

from fargate_workers import DeadLetterRedrive, ObjectCreatedTask, QueueWorker, Scaling, ScheduledTask, WorkerCluster
from tests.doubles.stack_facts import Facts, image

HERE = Environment(account="111122223333", region="eu-west-1")


def everything(stack: Stack) -> None:
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", availability_zones=["eu-west-1a"])
    orders = QueueWorker(stack, "Orders", cluster=cluster, image=image())
    ScheduledTask(stack, "Report", cluster=cluster, image=image(), schedule="rate(1 hour)")
    ObjectCreatedTask(stack, "Import", cluster=cluster, image=image(), bucket=s3.Bucket(stack, "Files"))
    DeadLetterRedrive(stack, "Redrive", cluster=cluster, workers=[orders])


def synthesized(stack: Stack, folder: Path) -> Facts:
    app = stack.node.root
    assert isinstance(app, App)
    app.synth()
    return Facts(json.loads((folder / f"{stack.stack_name}.template.json").read_text()))


@pytest.mark.parametrize("prevent_synthesis", [True, False])
def test_roles_made_by_others_are_reported_with_all_they_must_be_allowed(prevent_synthesis: bool) -> None:
    with TemporaryDirectory() as folder:
        stack = Stack(App(outdir=folder), "Shop", env=HERE)
        iam.Role.customize_roles(stack, prevent_synthesis=prevent_synthesis)
        everything(stack)
        facts = synthesized(stack, Path(folder))
        report = (Path(folder) / "iam-policy-report.json").read_text()

    assert (facts.count("IAM::Role") == 0) is prevent_synthesis
    for action in ("sqs:ReceiveMessage", "logs:PutLogEvents", "ecs:RunTask", "sqs:StartMessageMoveTask"):
        assert f'"{action}"' in report
    for role in (
        "Shop/Orders/Task/TaskRole",
        "Shop/Report/Role",
        "Shop/Redrive/Role",
        "Shop/ClusterScalingPlanner/Role",
    ):
        assert f'"{role}"' in report


def test_every_role_takes_a_permissions_boundary() -> None:
    with TemporaryDirectory() as folder:
        stack = Stack(App(outdir=folder), "Shop", env=HERE)
        everything(stack)
        iam.PermissionsBoundary.of(stack).apply(iam.ManagedPolicy.from_aws_managed_policy_name("PowerUserAccess"))
        roles = synthesized(stack, Path(folder)).all("IAM::Role")

    assert len(roles) > 6
    assert [role for role in roles if "PermissionsBoundary" not in role] == []


def parameter(stack: Stack) -> ecs.Secret:
    named = ssm.StringParameter.from_secure_string_parameter_attributes(stack, "Parameter", parameter_name="/shop/key")
    return ecs.Secret.from_ssm_parameter(named)


def secret(stack: Stack) -> ecs.Secret:
    return ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret"), "password")


def endpoints(stack: Stack, **options: Any) -> set[str]:
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", availability_zones=["eu-west-1a"])
    ScheduledTask(stack, "Report", cluster=cluster, schedule="rate(1 hour)", **{"image": image(), **options})
    return set(cluster.endpoints) - {"ecr.api", "ecr.dkr", "logs", "sqs"}


def test_an_endpoint_is_there_for_each_kind_of_secret_and_no_other() -> None:
    assert endpoints(Stack()) == set()
    stack = Stack()
    assert endpoints(stack, secrets={"KEY": parameter(stack)}) == {"ssm"}
    stack = Stack()
    assert endpoints(stack, secrets={"PASSWORD": secret(stack)}) == {"secretsmanager"}
    stack = Stack()
    assert endpoints(stack, secrets={"A": secret(stack), "B": parameter(stack)}) == {"ssm", "secretsmanager"}


def test_a_secret_that_is_added_later_is_reached_and_granted_like_any_other() -> None:
    stack = Stack()
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", availability_zones=["eu-west-1a"])
    report = ScheduledTask(stack, "Report", cluster=cluster, image=image(), schedule="rate(1 hour)")
    assert "ssm" not in cluster.endpoints
    report.add_secret("KEY", parameter(stack))

    assert "ssm" in cluster.endpoints
    granted = Facts(Template.from_stack(stack).to_json()).statements()
    assert [each for each in granted if "ssm:GetParameters" in each["Action"]]


def test_an_endpoint_is_there_for_a_registrys_credentials() -> None:
    stack = Stack()
    private = ecs.ContainerImage.from_registry(
        "registry.example.com/orders:1", credentials=secretsmanager.Secret(stack, "Login")
    )
    assert endpoints(stack, image=private) == {"secretsmanager"}


def test_a_worker_reaches_ecs_by_which_it_asks_to_be_spared() -> None:
    stack = Stack()
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", availability_zones=["eu-west-1a"])
    QueueWorker(stack, "Orders", cluster=cluster, image=image(), scaling=Scaling.on_queue_depth())
    assert "ecs" in cluster.endpoints

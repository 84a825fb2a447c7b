"""The hardened Fargate task that every worker is made of."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from fargate_workers.cluster.worker_cluster import WorkerCluster
from fargate_workers.durations import in_words
from fargate_workers.tasks.container_image import worker_image
from fargate_workers.tasks.task_size import check_task_size
from fargate_workers.tasks.worker_task import WorkerTask
from tests.doubles.stack_facts import Facts, image, synthesize


def cluster(stack: Stack, **options: Any) -> WorkerCluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"], private_subnet_ids=["subnet-1"]
    )
    return WorkerCluster(stack, "Cluster", network="nat", vpc=vpc, **options)


def plain(stack: Stack) -> None:
    WorkerTask(stack, "Task", cluster=cluster(stack), image=image(), name="Orders")


def granted(stack: Stack) -> None:
    task = WorkerTask(
        stack,
        "Task",
        cluster=cluster(stack, log_encryption_key=kms.Key(stack, "Key")),
        image=image(),
        name="Orders",
        command=["python", "-m", "orders"],
        cpu=1_024,
        memory_mib=2_048,
        architecture="x86_64",
        environment={"COLOUR": "blue"},
        secrets={"TOKEN": ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Token"))},
        stop_timeout=Duration.seconds(30),
    )
    task.add_environment("SHAPE", "round")
    task.allow(["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:111111111111:next"], sid="Next")
    s3.Bucket(stack, "Files").grant_read(task)
    database = ec2.SecurityGroup(stack, "Database", vpc=task.cluster.vpc, allow_all_outbound=False)
    task.connections.allow_to(database, ec2.Port.tcp(5_432))


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Facts]:
    folder: Path = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")

    def built(stack: Stack) -> None:
        ours = cluster(stack)
        for architecture in ("arm64", "x86_64"):
            WorkerTask(
                stack,
                architecture,
                cluster=ours,
                image=worker_image(folder, architecture=architecture),
                name=architecture,
                architecture=architecture,
            )

    return synthesize({"plain": plain, "granted": granted, "built": built})


@pytest.fixture(scope="module")
def container(stacks: dict[str, Facts]) -> dict[str, Any]:
    return stacks["plain"].only("ECS::TaskDefinition")["ContainerDefinitions"][0]


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def test_the_smallest_arm_task_is_the_default(stacks: dict[str, Facts]) -> None:
    task = stacks["plain"].only("ECS::TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("256", "512")
    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}


def test_size_and_architecture_are_settings(stacks: dict[str, Facts]) -> None:
    task = stacks["granted"].only("ECS::TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("1024", "2048")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    container = task["ContainerDefinitions"][0]
    assert container["Command"] == ["python", "-m", "orders"]
    assert container["StopTimeout"] == 30


def test_the_container_runs_unprivileged_under_an_init_process(container: dict[str, Any]) -> None:
    assert container["User"] == "10001:10001"
    assert container["LinuxParameters"]["InitProcessEnabled"] is True
    assert container["StopTimeout"] == 120
    assert "HealthCheck" not in container
    assert "Command" not in container


def test_the_container_can_write_to_its_temporary_volume_only(stacks: dict[str, Facts], container: Any) -> None:
    assert container["ReadonlyRootFilesystem"] is True
    assert container["MountPoints"] == [{"ContainerPath": "/tmp", "ReadOnly": False, "SourceVolume": "tmp"}]
    assert stacks["plain"].only("ECS::TaskDefinition")["Volumes"] == [{"Name": "tmp"}]


def test_the_container_learns_its_name_and_how_long_it_may_stop(container: dict[str, Any]) -> None:
    assert variables(container) == {
        "WORKER_NAME": "plain/Task",
        "HEALTH_FILE": "/tmp/healthy",
        "STOP_TIMEOUT_SECONDS": "120",
    }


def test_variables_and_secrets_of_yours_are_set(stacks: dict[str, Facts]) -> None:
    container = stacks["granted"].only("ECS::TaskDefinition")["ContainerDefinitions"][0]
    assert variables(container)["COLOUR"] == "blue"
    assert variables(container)["SHAPE"] == "round"
    assert [secret["Name"] for secret in container["Secrets"]] == ["TOKEN"]


def test_logs_go_to_a_group_of_the_tasks_own_and_never_hold_the_worker_up(
    stacks: dict[str, Facts], container: dict[str, Any]
) -> None:
    options = container["LogConfiguration"]["Options"]
    assert options["awslogs-group"] == {"Ref": stacks["plain"].id_of("Logs::LogGroup")}
    assert options["awslogs-stream-prefix"] == "Orders"
    assert options["mode"] == "non-blocking"
    assert options["max-buffer-size"] == f"{25 * 1_024**2}b"


def test_logs_have_the_clusters_retention_and_key(stacks: dict[str, Facts]) -> None:
    assert stacks["plain"].only("Logs::LogGroup")["RetentionInDays"] == 30
    assert "KmsKeyId" in stacks["granted"].only("Logs::LogGroup")


def test_both_roles_serve_ecs_tasks_of_this_account_only(stacks: dict[str, Facts]) -> None:
    roles = stacks["plain"].all("IAM::Role")
    assert len(roles) == 2
    for role in roles:
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert ":ecs:" in statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1]


@pytest.mark.parametrize("name", ["plain", "granted", "built"])
def test_no_policy_is_inline(stacks: dict[str, Facts], name: str) -> None:
    assert stacks[name].count("IAM::Policy") == 0
    assert not any("Policies" in role for role in stacks[name].all("IAM::Role"))


def test_a_task_that_is_granted_nothing_has_no_permissions(stacks: dict[str, Facts]) -> None:
    (execution,) = stacks["plain"].all("IAM::ManagedPolicy")
    (statement,) = execution["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": [stacks["plain"].id_of("Logs::LogGroup"), "Arn"]}


def test_grants_to_the_task_become_permissions(stacks: dict[str, Facts]) -> None:
    statements = stacks["granted"].statements()
    assert any(each.get("Sid") == "Next" and each["Action"] == "sqs:SendMessage" for each in statements)
    assert any("s3:GetObject*" in each["Action"] for each in statements)


def test_only_ecs_reads_the_secrets_not_the_task(stacks: dict[str, Facts]) -> None:
    facts = stacks["granted"]
    (policy,) = [each for each in facts.all("IAM::ManagedPolicy") if "secretsmanager:GetSecretValue" in str(each)]
    assert "logs:PutLogEvents" in str(policy)
    assert "s3:GetObject*" not in str(policy)


def test_ecs_may_pull_the_tasks_own_repository_only(stacks: dict[str, Facts]) -> None:
    statements = stacks["built"].statements()
    pulls = [each for each in statements if "ecr:BatchGetImage" in each["Action"]]
    assert len(pulls) == 2
    assert all("cdk-hnb659fds-container-assets-" in str(each["Resource"]) for each in pulls)
    assert [each["Action"] for each in statements if each["Resource"] == "*"] == ["ecr:GetAuthorizationToken"] * 2


def test_images_are_built_for_the_architecture_they_run_on(stacks: dict[str, Facts]) -> None:
    images = [task["ContainerDefinitions"][0]["Image"] for task in stacks["built"].all("ECS::TaskDefinition")]
    assert images[0] != images[1]


def test_the_task_connects_by_https_and_to_what_it_is_allowed(stacks: dict[str, Facts]) -> None:
    facts = stacks["granted"]
    group = facts.only("EC2::SecurityGroup", GroupDescription="Tasks of Orders.")
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    assert "SecurityGroupIngress" not in group
    assert [rule["FromPort"] for rule in facts.all("EC2::SecurityGroupEgress")] == [5_432]


def test_secrets_bring_their_endpoint_into_an_endpoints_network() -> None:
    stack = Stack()
    ours = WorkerCluster(stack, "Cluster", network="endpoints")
    secret = ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Token"))
    WorkerTask(stack, "Task", cluster=ours, image=image(), name="Orders", secrets={"TOKEN": secret})
    assert "secretsmanager" in ours.endpoints


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ({"cpu": 300}, "cpu is 300; Fargate takes 256, 512, 1024, 2048, 4096, 8192, 16384"),
        ({"memory_mib": 600}, "memory_mib is 600; with cpu=256, Fargate takes 512, 1024, 2048"),
        ({"cpu": 8_192, "memory_mib": 17_408}, "memory_mib is 17408; with cpu=8192, Fargate takes 16384, 20480"),
    ],
)
def test_a_size_fargate_does_not_have(size: dict[str, int], sentence: str) -> None:
    stack = Stack()
    with pytest.raises(ValueError, match=f"Orders: {sentence}"):
        WorkerTask(stack, "Task", cluster=cluster(stack), image=image(), name="Orders", **size)


@pytest.mark.parametrize("cpu", [1_024, 2_048, 4_096, 8_192, 16_384])
def test_every_size_gives_a_process_per_vcpu_two_gibibytes(cpu: int) -> None:
    check_task_size("Orders", cpu=cpu, memory_mib=2 * cpu)
    with pytest.raises(ValueError, match="memory_mib is"):
        check_task_size("Orders", cpu=cpu, memory_mib=2 * cpu - 1_024)


@pytest.mark.parametrize("seconds", [1, 121])
def test_a_stop_timeout_fargate_refuses(seconds: int) -> None:
    stack = Stack()
    with pytest.raises(ValueError, match=f"Orders: stop_timeout is {in_words(seconds)}; Fargate takes 2 to 120 s"):
        WorkerTask(
            stack, "Task", cluster=cluster(stack), image=image(), name="Orders", stop_timeout=Duration.seconds(seconds)
        )

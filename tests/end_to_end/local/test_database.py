"""Aurora on loopback: whom a database lets in, what a real worker records in it, and that nothing stays behind."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from aws_cdk import App, CfnOutput, DefaultStackSynthesizer, Duration, Stack
from aws_cdk import aws_rds as rds

from fargate_workers import Database, QueueWorker, Scaling, WorkerCluster, worker_image
from fargate_workers_toolkit.console.progress import Progress
from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local import embedded_aws, virtual_environment
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.scenarios.running_system import RunningSystem
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates.assembly import Assembly
from tests.patience import PATIENCE

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[3]
TABLES = ROOT / "worker_image" / "order_pipeline" / "payments.sql"


@dataclass(frozen=True)
class Deployment:
    """A stack with a database, in an emulator of its own."""

    system: RunningSystem
    authority: Path
    variables: dict[str, str]
    secret: dict[str, str]

    def connect(self, *, user: str, password: str = "any", sslmode: str = "verify-full") -> psycopg.Connection:
        return psycopg.connect(
            host=self.variables["DATABASE_HOST"],
            port=int(self.variables["DATABASE_PORT"]),
            dbname=self.variables["DATABASE_NAME"],
            user=user,
            password=password,
            sslmode=sslmode,
            sslrootcert=str(self.authority),
        )


def stack_of(app: App, name: str) -> tuple[Stack, WorkerCluster]:
    """A stack that needs no bootstrapping, and a cluster in it."""
    stack = Stack(app, name, synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    return stack, WorkerCluster(stack, "Cluster", network="public")


def shop(app: App) -> None:
    """The sample's worker, with the program of its real image."""
    stack, cluster = stack_of(app, "Shop")
    database = Database(stack, "Payments", cluster=cluster, idle_transaction=Duration.minutes(20))
    QueueWorker(
        stack,
        "Record",
        cluster=cluster,
        image=worker_image(ROOT / "worker_image"),
        command=["python", "-m", "order_pipeline.record_payments"],
        claims=database,
        visibility_timeout=Duration.seconds(30),
        scaling=Scaling.on_backlog_per_task(10, min_tasks=1, max_tasks=2),
    )
    for name, value in (("Host", database.host), ("Port", database.port), ("Secret", database.master_secret_arn)):
        CfnOutput(stack, name, value=value)


@pytest.fixture(scope="module")
def aws(context: dict[str, Any]) -> Iterator[tuple[EmbeddedAws, Workspace]]:
    """An emulator that serves the stack's assembly, with nothing deployed."""
    workspace = Workspace(ROOT, name="test-database", assembly_name="test-database.out")
    shutil.rmtree(workspace.assembly, ignore_errors=True)
    # Stacks of no account and region are those of the emulator.
    app = App(context={**context, "aws:cdk:enable-path-metadata": True}, outdir=str(workspace.assembly))
    shop(app)
    stack, cluster = stack_of(app, "Gone")
    Database(stack, "Gone", cluster=cluster)
    instance = rds.CfnDBInstance(
        stack,
        "Instance",
        engine="postgres",
        db_instance_class="db.t4g.micro",
        allocated_storage="20",
        db_name="plain",
        master_username="owner",
        master_user_password="of the test",
    )
    CfnOutput(stack, "InstancePort", value=instance.attr_endpoint_port)
    app.synth()
    yield (
        embedded_aws.start(
            workspace,
            interpreter=virtual_environment.prepare(workspace.venv),
            region="eu-west-1",
            seconds_per_minute=None,
            port=embedded_aws.find_port(None),
            owned=True,
        ),
        workspace,
    )
    embedded_aws.stop(workspace)
    shutil.rmtree(workspace.assembly)


@pytest.fixture(scope="module")
def deployment(aws: tuple[EmbeddedAws, Workspace]) -> Deployment:
    running, workspace = aws
    assembly = Assembly.load(workspace.assembly)
    system = RunningSystem(running, assembly, workspace=workspace, progress=Progress(quiet=True))
    outputs = deploy(system, workspace, "Shop")
    (definition,) = system.client("ecs").list_task_definitions()["taskDefinitionArns"]
    (container,) = system.client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"][
        "containerDefinitions"
    ]
    secret = system.client("secretsmanager").get_secret_value(SecretId=outputs["Secret"])["SecretString"]
    found = Deployment(
        system=system,
        authority=workspace.run / "certificates" / "ca.pem",
        variables={each["name"]: each["value"] for each in container["environment"]},
        secret=json.loads(secret),
    )
    assert (found.variables["DATABASE_HOST"], found.variables["DATABASE_PORT"]) == (outputs["Host"], outputs["Port"])
    return found


def deploy(system: RunningSystem, workspace: Workspace, stack: str) -> dict[str, str]:
    """Create a stack, and return its outputs."""
    cloudformation = system.client("cloudformation")
    # Without blanks, a template of this size needs no bucket.
    template = json.dumps(
        json.loads((workspace.assembly / f"{stack}.template.json").read_text()), separators=(",", ":")
    )
    cloudformation.create_stack(StackName=stack, TemplateBody=template)

    def described() -> dict[str, Any]:
        return dict(cloudformation.describe_stacks(StackName=stack)["Stacks"][0])

    system.wait_for(lambda: described()["StackStatus"].endswith(("COMPLETE", "FAILED")), within=120, every=0.1)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [
        (each["LogicalResourceId"], each["ResourceStatusReason"]) for each in events if "ResourceStatusReason" in each
    ]
    assert described()["StackStatus"] == "CREATE_COMPLETE", reasons
    return {each["OutputKey"]: each["OutputValue"] for each in described().get("Outputs", [])}


def test_a_worker_finds_its_role_and_the_tables_of_claims(deployment: Deployment) -> None:
    assert deployment.variables["DATABASE_HOST"] == "127.0.0.1"

    with deployment.connect(user=deployment.variables["DATABASE_USER"]) as connection:
        connection.execute(
            "INSERT INTO message_claims (scope, key, payload, expires_at) VALUES ('Shop/Record', '1', 'hash', now())"
        )

    assert deployment.system.sql("Shop/Payments", "SELECT scope, key FROM message_claims") == [["Shop/Record", "1"]]


@pytest.mark.parametrize("password", ["", "a token", "another"])
def test_any_token_is_accepted(deployment: Deployment, password: str) -> None:
    with deployment.connect(user="worker", password=password) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("worker",)


def test_nobody_connects_without_tls(deployment: Deployment) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        deployment.connect(user="worker", sslmode="disable")


def test_the_master_user_signs_in_with_the_secret_and_with_nothing_else(deployment: Deployment) -> None:
    with deployment.connect(user=deployment.secret["username"], password=deployment.secret["password"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        deployment.connect(user=deployment.secret["username"], password="wrong")


def test_a_role_that_iam_does_not_know_is_refused(deployment: Deployment) -> None:
    deployment.system.sql("Shop/Payments", "CREATE ROLE stranger LOGIN")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        deployment.connect(user="stranger")


def test_a_worker_owns_nothing(deployment: Deployment) -> None:
    with (
        deployment.connect(user="worker") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE payments (id text)")


def test_a_worker_may_change_no_claim(deployment: Deployment) -> None:
    """As with the rights that `fargate-workers database schema` grants in AWS."""
    with (
        deployment.connect(user="worker") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="message_claims"),
    ):
        connection.execute("UPDATE message_claims SET payload = 'other'")


def test_the_time_outs_are_those_of_the_parameter_group(deployment: Deployment) -> None:
    assert deployment.system.sql("Shop/Payments", "SHOW idle_in_transaction_session_timeout") == [["20min"]]


def test_a_statement_that_is_refused_gets_the_servers_own_words(deployment: Deployment) -> None:
    with pytest.raises(LocalError, match='relation "nowhere" does not exist'):
        deployment.system.sql("Shop/Payments", "SELECT * FROM nowhere")


def test_it_listens_on_loopback_alone(deployment: Deployment) -> None:
    port = int(deployment.variables["DATABASE_PORT"])
    connections: list[Any] = psutil.net_connections(kind="inet")
    listening = [each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN and each.laddr.port == port]

    assert listening == ["127.0.0.1"]


def test_a_worker_that_is_killed_amid_a_transaction_records_each_payment_once(deployment: Deployment) -> None:
    system = deployment.system
    system.sql("Shop/Payments", TABLES.read_text(encoding="utf-8"))
    url = system.physical_id("Shop/Record/Queue/Queue", type="AWS::SQS::Queue")
    payments = [
        {"payment_id": f"payment-{number % 60}", "customer_id": f"customer-{number % 3}", "amount_cents": 100}
        for number in range(120)
    ]
    waiting = "SELECT pid FROM pg_stat_activity WHERE usename = 'worker' AND wait_event_type = 'Lock'"

    with deployment.connect(user="postgres", password=deployment.secret["password"]) as blocker:
        # Each transaction now stops between the payment and the balance.
        blocker.execute("LOCK TABLE balances IN ACCESS EXCLUSIVE MODE")
        for first in range(0, len(payments), 10):
            some = enumerate(payments[first : first + 10])
            entries = [{"Id": str(number), "MessageBody": json.dumps(payment)} for number, payment in some]
            system.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        assert system.wait_for(lambda: system.sql("Shop/Payments", waiting), within=PATIENCE, every=0.05)
        (killed,) = system.processes("Shop/Record")
        psutil.Process(killed.pid).kill()

    def recorded() -> int:
        return int(system.sql("Shop/Payments", "SELECT count(*) FROM payments")[0][0])

    system.wait_for(lambda: recorded() == 60 and not system.backlog("Shop/Record/Queue/Queue").total, within=120)

    balances = system.sql("Shop/Payments", "SELECT customer_id, amount_cents FROM balances ORDER BY 1")
    assert balances == [[f"customer-{number}", "2000"] for number in range(3)]
    assert system.backlog("Shop/Record/Queue/DeadLetterQueue").total == 0


def test_a_deleted_stack_leaves_no_server_and_no_data(
    deployment: Deployment, aws: tuple[EmbeddedAws, Workspace]
) -> None:
    running, workspace = aws
    system = deployment.system
    outputs = deploy(system, workspace, "Gone")
    # An instance without a cluster is a server, too, with the password of its template.
    address = f"host=127.0.0.1 port={outputs['InstancePort']} dbname=plain user=owner password='of the test'"
    with psycopg.connect(address, sslmode="verify-full", sslrootcert=str(deployment.authority)) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("plain",)
    servers = [each for each in running.get("containers") if each["name"].startswith("gone")]
    assert len(servers) == 2
    family = [
        process
        for each in servers
        for process in (psutil.Process(each["pid"]), *psutil.Process(each["pid"]).children(recursive=True))
    ]

    system.client("cloudformation").delete_stack(StackName="Gone")

    def left() -> list[Any]:
        data = [path.name for path in (workspace.run / "databases").iterdir() if path.name.startswith("gone")]
        return [*data, *(each.pid for each in family if each.is_running())]

    system.wait_for(lambda: not left(), within=PATIENCE, every=0.1)
    assert left() == []

"""A PostgreSQL database for claims, new or existing: its address, its user and its connections."""

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

import jsii
from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.cloudformation import allow, arn, has_token
from fargate_workers.durations import in_seconds, in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.stores.connecting_task import ConnectingTask, TaskRules
from fargate_workers.stores.connection_budget import ConnectionBudget

KEEP_CLAIMS, LONGEST_KEPT = 28 * 86_400, 3_650 * 86_400
# Handlers of one process rarely write more at once; what is left over is for the next worker.
USUAL_POOL, MOST_IN_POOL = 10, 1_000
# PostgreSQL cuts longer names, and others need quotes wherever they are written.
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Aurora's endpoint for replicas, on which nothing can be written.
_READER = ".cluster-ro-"


class DatabaseTask(ConnectingTask, Protocol):
    """A task that is let in later and takes a secret: a QueueWorker or something like it."""

    def add_secret(self, name: str, secret: ecs.Secret) -> object: ...


class Server(NamedTuple):
    """Where a database is reached, and by which id IAM knows it; None where workers sign in by password."""

    host: str
    port: str
    security_group: ec2.ISecurityGroup
    resource_id: str | None


@jsii.implements(ec2.IConnectable)
class PostgresDatabase(Construct):
    """A PostgreSQL database for claims: a `Database`, or what `Database.existing` returns.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        server: Returns the server; it is called once the construct exists, and may place further constructs in it.
        port: The port of the server, for the rules of security groups.
        name: The name of the database.
        user: The name by which workers sign in.
        password: The password of `user`. None: workers sign in with IAM.
        keep_claims: How long a key is kept, in days. Defaults to 28 days.
        connections_per_process: The usual size of the pool in each process of a worker.
        budget: The connections that workers may open. None counts none.
        idle_transaction_seconds: Seconds after which the server ends a transaction that sends nothing. Defaults to not
            known.

    Raises:
        ConfigurationError: A value is out of its range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        server: Callable[[], Server],
        port: int,
        name: str,
        user: str,
        password: ecs.Secret | None,
        keep_claims: Duration | None,
        connections_per_process: int,
        budget: ConnectionBudget | None,
        idle_transaction_seconds: int | None = None,
    ) -> None:
        super().__init__(scope, id)
        made = server()
        self.host: str = made.host
        self.port: str = made.port
        self.database_name: str = name
        self.user: str = user
        self.security_group: ec2.ISecurityGroup = made.security_group
        self.resource_id: str | None = made.resource_id
        self.password: ecs.Secret | None = password
        self.keep_claims_seconds: int = in_seconds(keep_claims, KEEP_CLAIMS)
        self.connections_per_process: int = connections_per_process
        self.budget: ConnectionBudget | None = budget
        self.idle_transaction_seconds: int | None = idle_transaction_seconds
        self._connections = ec2.Connections(security_groups=[made.security_group], default_port=ec2.Port.tcp(port))
        self._rules = TaskRules(
            id, self._connections, protocol="PostgreSQL", instead="let further tasks use another database"
        )

    @property
    def connections(self) -> ec2.Connections:
        """The database's security group and port, for `worker.connections.allow_to_default_port(database)`."""
        return self._connections

    def grant_connect(self, task: DatabaseTask, *, connections_per_process: int | None = None) -> None:
        """Let a task that was made without `claims=` connect, too, to write what its handler has to write.

        Args:
            task: A `QueueWorker`, another construct around a task, or something like it.
            connections_per_process: The size of the pool in each process. Defaults to the database's own number, or as
                many as are left when that is fewer.

        Raises:
            ConfigurationError: The workers could open more connections than the database bears.
        """
        access = self.access(task.name, max_tasks=task.max_tasks, connections_per_process=connections_per_process)
        access.give_to(task)
        if self.password is not None:
            task.add_secret("DATABASE_PASSWORD", self.password)
        self.let_in(task.connections)

    def let_in(self, connections: ec2.Connections) -> None:
        """Open the network between a task and the database.

        Args:
            connections: The task's connections.

        Raises:
            ConfigurationError: More tasks connect than AWS takes rules in one security group.
        """
        self._rules.let_in(connections)

    def access(
        self, name: str, *, max_tasks: int, processes: int = 1, connections_per_process: int | None = None
    ) -> Access:
        """The permission and variables by which a task signs in; counts the connections of its tasks.

        Sets DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_USER, DATABASE_AUTHENTICATION, DATABASE_CONNECTIONS
        (the size of the pool in each process) and DATABASE_KEEP_SECONDS. A password is a secret and no variable.

        Args:
            name: The name of the worker, for the error.
            max_tasks: Tasks that may run at most.
            processes: Processes of a task, each with a pool of its own. Defaults to 1.
            connections_per_process: The size of the pool in each process. Defaults to the database's own number, or as
                many as are left when that is fewer.

        Raises:
            ConfigurationError: max tasks x processes x pool x 2 (a deployment runs old and new tasks together), over
                all workers, exceeds 80 % of what the database accepts.
        """
        pool = self.connections_per_process if connections_per_process is None else connections_per_process
        if self.budget is not None:
            self.budget = self.budget.grant(
                name, max_tasks=max_tasks, connections_per_task=connections_per_process, pools=processes
            )
            pool = self.budget.shares[-1].connections_per_pool
        statements = []
        if self.resource_id is not None:
            statements = [allow(["rds-db:connect"], arn("rds-db", f"dbuser:{self.resource_id}/{self.user}"))]
        return Access(
            statements,
            {
                "DATABASE_HOST": self.host,
                "DATABASE_PORT": self.port,
                "DATABASE_NAME": self.database_name,
                "DATABASE_USER": self.user,
                "DATABASE_AUTHENTICATION": "iam" if self.password is None else "password",
                "DATABASE_CONNECTIONS": str(pool),
                "DATABASE_KEEP_SECONDS": str(self.keep_claims_seconds),
            },
        )

    def check_processing(self, worker: str, max_processing_seconds: int) -> None:
        """Check that a worker's longest handler may keep its transaction open all the time.

        Args:
            worker: The id of the worker, for the error.
            max_processing_seconds: Seconds that a handler may take over one message.

        Raises:
            ConfigurationError: The server would end the transaction in the middle.
        """
        longest = self.idle_transaction_seconds
        if longest is not None and max_processing_seconds > longest:
            raise ConfigurationError(
                f"{worker}: max_processing is {in_words(max_processing_seconds)}, and {self.node.id} ends a "
                f"transaction that sends nothing for {in_words(longest)}; lower it, or raise the database's "
                "idle_transaction."
            )


def check_address(
    id: str,
    *,
    host: str,
    port: int,
    name: str,
    user: str,
    keep_claims: Duration | None,
    connections_per_process: int,
) -> None:
    """Check where a database is, how it is named, how long it keeps claims and what each process opens.

    Args:
        id: The id of the database, for the error.
        host: The address of the server.
        port: Its port.
        name: The name of the database.
        user: The name by which workers sign in.
        keep_claims: How long a key is kept. None is the default.
        connections_per_process: The usual size of the pool in each process.

    Raises:
        ConfigurationError: Nothing could be written there.
    """
    if not has_token(host) and (_READER in host or not re.fullmatch(r"[A-Za-z0-9.-]+", host)):
        wrong = (
            "is the endpoint of the readers, and claims are written; give the cluster's own"
            if _READER in host
            else "is no name of a host; give the endpoint alone, without a scheme or a port"
        )
        raise ConfigurationError(f"{id}: host {host!r} {wrong}.")
    if not has_token(str(port)) and not 1 <= port <= 65_535:
        raise ConfigurationError(f"{id}: port is {port}; use 1 to 65535.")
    for option, value in (("name", name), ("user", user)):
        if not has_token(value) and not _IDENTIFIER.fullmatch(value):
            raise ConfigurationError(
                f"{id}: {option} is {value!r}; use lowercase letters, digits and underscores, 63 at most, a letter "
                "first."
            )
    if not 1 <= connections_per_process <= MOST_IN_POOL:
        raise ConfigurationError(
            f"{id}: connections_per_process is {connections_per_process}; use 1 to {MOST_IN_POOL}."
        )
    kept = in_seconds(keep_claims, KEEP_CLAIMS)
    if kept < 86_400:
        raise ConfigurationError(
            f"{id}: keep_claims is {in_words(kept)}, and a message may come back days later; keep them a day or longer."
        )
    if kept > LONGEST_KEPT:
        raise ConfigurationError(f"{id}: keep_claims is {in_words(kept)}; keep them ten years at most.")

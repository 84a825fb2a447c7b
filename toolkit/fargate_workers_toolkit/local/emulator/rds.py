"""Aurora and RDS as a real PostgreSQL server: TLS, the master user's secret, and the workers' roles."""

import csv
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.database import schema
from fargate_workers_toolkit.local.emulator.ministack_parts import provisioners, rds, secretsmanager
from fargate_workers_toolkit.local.emulator.processes.containers import Containers
from fargate_workers_toolkit.local.emulator.processes.ports import free_port
from fargate_workers_toolkit.local.emulator.processes.postgres_server import DatabaseError, PostgresServer
from fargate_workers_toolkit.local.emulator.settings import Settings

ENGINES = ("aurora-postgresql", "postgres")
# Of a parameter group, what a server on loopback can take over; RDS's own parameters mean nothing here.
_TAKEN_OVER = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, Any]]


class Databases:
    """PostgreSQL servers in place of those that MiniStack only has the names of.

    Args:
        settings: The launcher's settings.
        containers: Runs the servers.
    """

    def __init__(self, settings: Settings, containers: Containers) -> None:
        self._settings = settings
        self._containers = containers
        self._servers: dict[str, PostgresServer] = {}
        self._parameters: dict[str, Mapping[str, Any]] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        handlers = provisioners._RESOURCE_HANDLERS
        group = dict(handlers["AWS::RDS::DBClusterParameterGroup"])

        def create_group(logical_id: str, properties: Properties, stack: str) -> Created:
            name, attributes = group["create"](logical_id, properties, stack)
            self._parameters[name] = properties.get("Parameters") or {}
            return name, attributes

        handlers["AWS::RDS::DBClusterParameterGroup"] = {**group, "create": create_group}
        handlers["AWS::RDS::DBCluster"] = self._with_a_server(
            handlers["AWS::RDS::DBCluster"], records=rds._clusters, database="DatabaseName", serve=_serve_cluster
        )
        handlers["AWS::RDS::DBInstance"] = self._with_a_server(
            handlers["AWS::RDS::DBInstance"], records=rds._instances, database="DBName", serve=_serve_instance
        )

    def run(self, name: str, sql: str) -> list[list[str]]:
        """Run statements as the master user.

        Args:
            name: The identifier of the cluster or the instance.
            sql: The statements.

        Returns:
            The rows of their results, one after the other, as text.

        Raises:
            LocalError: There is no such database, or it refused a statement.
        """
        server = self._servers.get(name)
        if server is None:
            raise DatabaseError(f"There is no database {name}.")
        return list(csv.reader(server.run(sql, database=server.database).splitlines()))

    def _with_a_server(self, handler: Mapping[str, Any], *, records: Any, database: str, serve: Any) -> dict[str, Any]:
        def create(logical_id: str, properties: Properties, stack: str) -> Created:
            member = properties.get("DBClusterIdentifier") in rds._clusters
            name, attributes = handler["create"](logical_id, properties, stack)
            if member or properties.get("Engine") not in ENGINES:
                return name, attributes
            password = properties.get("MasterUserPassword") or secrets.token_urlsafe(24)
            server = self._start(name, properties, database=properties.get(database) or "postgres", password=password)
            secret = _secret(name, records[name], password) if _is_managed(properties) else {}
            return name, {**attributes, **serve(records[name], server.port), **secret}

        def delete(name: str, properties: Properties) -> object:
            server = self._servers.pop(name, None)
            if server is not None:
                server.remove()
            return handler["delete"](name, properties)

        return {**handler, "create": create, "delete": delete}

    def _start(self, name: str, properties: Properties, *, database: str, password: str) -> PostgresServer:
        server = PostgresServer(
            name,
            directory=self._settings.directory / "databases" / name,
            certificates=self._settings.directory / "certificates",
            database=database,
            master_user=properties.get("MasterUsername", "postgres"),
            password=password,
            port=free_port(),
            settings={
                key: str(value)
                for key, value in self._parameters.get(properties.get("DBClusterParameterGroupName", ""), {}).items()
                if key in _TAKEN_OVER
            },
        )
        server.start(self._containers)
        self._servers[name] = server
        for role in sorted(worker_roles(self._settings.assembly)):
            _let_in(server, role)
        return server


def worker_roles(assembly: Path) -> set[str]:
    """The names by which containers of an assembly sign in to databases with IAM.

    Args:
        assembly: The folder of the assembly.
    """
    templates = (json.loads(path.read_text()) for path in assembly.rglob("*.template.json"))
    definitions = (
        resource["Properties"]
        for template in templates
        for resource in template.get("Resources", {}).values()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
    )
    environments = (
        {variable["Name"]: variable["Value"] for variable in container.get("Environment", [])}
        for definition in definitions
        for container in definition["ContainerDefinitions"]
    )
    return {
        variables["DATABASE_USER"]
        for variables in environments
        if variables.get("DATABASE_AUTHENTICATION") == "iam" and isinstance(variables.get("DATABASE_USER"), str)
    }


def _let_in(server: PostgresServer, role: str) -> None:
    """What the owner of a database does once: the role, its right to sign in, and the tables that workers share."""
    server.run(schema(user=role), database=server.database)


def _is_managed(properties: Properties) -> bool:
    return str(properties.get("ManageMasterUserPassword", "")).lower() == "true"


def _secret(name: str, record: Mapping[str, Any], password: str) -> dict[str, str]:
    """The master user's secret, in the form of RDS's own."""
    secret_name = f"rds!cluster-{name}"
    secretsmanager._create_secret(
        {
            "Name": secret_name,
            "SecretString": json.dumps({"username": record["MasterUsername"], "password": password}),
        }
    )
    return {"MasterUserSecret.SecretArn": secretsmanager._secrets[secret_name]["ARN"]}


def _serve_cluster(cluster: dict[str, Any], port: int) -> dict[str, str]:
    cluster.update(Endpoint="127.0.0.1", ReaderEndpoint="127.0.0.1", Port=port)
    return {
        "Endpoint.Address": "127.0.0.1",
        "Endpoint.Port": str(port),
        "ReadEndpoint.Address": "127.0.0.1",
    }


def _serve_instance(instance: dict[str, Any], port: int) -> dict[str, str]:
    instance["Endpoint"].update(Address="127.0.0.1", Port=port)
    return {"Endpoint.Address": "127.0.0.1", "Endpoint.Port": str(port)}

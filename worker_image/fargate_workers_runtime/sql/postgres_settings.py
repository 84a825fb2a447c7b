"""Where the database is and how a process connects to it."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.settings import choice, number, text
from fargate_workers_runtime.signing import TokenSigner

Authentication = Literal["iam", "password"]

#: Where an image keeps the authorities of Amazon RDS, which are in no system's own store:
#: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html
RDS_CA_FILE = Path("/etc/ssl/rds/global-bundle.pem")

#: How long a key is remembered, in seconds: a message's longest life in a queue and then in its dead-letter queue.
KEEP_SECONDS = 28 * 24 * 3600

#: How long a statement of the handler's own waits for a lock, in milliseconds. The claim itself waits a second.
_LOCK_MILLISECONDS = 30_000

#: Seconds to connect; and with nothing from the server, until it counts as gone.
_CONNECT_SECONDS, _SILENT_SECONDS = 5, 30


@dataclass(frozen=True, kw_only=True)
class PostgresSettings:
    """The address of a PostgreSQL database and the way to log in, for every driver.

    Attributes:
        host: DATABASE_HOST, the endpoint of the writer. A token is signed for this name, so it must be RDS's own.
        port: DATABASE_PORT. Default: 5432.
        name: DATABASE_NAME.
        user: DATABASE_USER.
        authentication: DATABASE_AUTHENTICATION, `iam` or `password`. Default: iam.
        secret: DATABASE_PASSWORD, if the user has one.
        ca_file: DATABASE_CA_FILE. Default: the authorities of Amazon RDS if the image has them in
            /etc/ssl/rds/global-bundle.pem, else the system's.
        connections: DATABASE_CONNECTIONS, the most that a process opens. Default: 10.
        keep_seconds: DATABASE_KEEP_SECONDS, how long a key is kept at least. Default: 2,419,200, 28 days.
        idle_seconds: MAX_PROCESSING_SECONDS, after which a transaction that does nothing is ended by the server: its
            worker is gone. Default: 900.
        relays: OUTBOX_RELAY, whether the worker sends what waits in the outbox. Default: true.
        application: WORKER_NAME, as the server lists its connections. Default: worker.
        region: AWS_REGION, which tokens are signed for.
    """

    host: str
    name: str
    user: str
    port: int = 5432
    authentication: Authentication = "iam"
    secret: str = field(default="", repr=False)
    ca_file: str | None = None
    connections: int = 10
    keep_seconds: int = KEEP_SECONDS
    idle_seconds: int = 900
    relays: bool = True
    application: str = "worker"
    region: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PostgresSettings":
        """The settings of a worker's task.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or out of range.
        """
        how = choice(environment, "DATABASE_AUTHENTICATION", cls.authentication, get_args(Authentication))
        iam = how == "iam"
        return cls(
            host=text(environment, "DATABASE_HOST"),
            port=number(environment, "DATABASE_PORT", cls.port, 1, 65_535),
            name=text(environment, "DATABASE_NAME"),
            user=text(environment, "DATABASE_USER"),
            authentication=cast("Authentication", how),
            secret="" if iam else text(environment, "DATABASE_PASSWORD"),
            ca_file=_ca_file(environment),
            connections=number(environment, "DATABASE_CONNECTIONS", cls.connections, 1, 1_000),
            keep_seconds=number(environment, "DATABASE_KEEP_SECONDS", cls.keep_seconds, 60, 10 * 365 * 24 * 3600),
            idle_seconds=number(environment, "MAX_PROCESSING_SECONDS", cls.idle_seconds, 1, 43_200),
            relays=choice(environment, "OUTBOX_RELAY", "true", ("true", "false")) == "true",
            application=environment.get("WORKER_NAME") or cls.application,
            region=(environment.get("AWS_REGION") or text(environment, "AWS_DEFAULT_REGION")) if iam else "",
        )

    def password(self) -> str:
        """The password for one connection: with IAM a new token, for a token ends with the credentials that signed it.

        Raises:
            SettingsError: There are no AWS credentials to sign with.
        """
        if self.authentication == "password":
            return self.secret
        return _signer(self.region).sign(f"{self.host}:{self.port}", {"Action": "connect", "DBUser": self.user})

    def parameters(self, *, writer: bool = True) -> dict[str, Any]:
        """The arguments of `psycopg.connect`, the password included, for one connection.

        Args:
            writer: Whether a reader is refused. Default: True.

        Raises:
            SettingsError: There are no AWS credentials to sign with.
        """
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password(),
            # The server's name and authority are checked: a token must not go to anybody else.
            "sslmode": "verify-full",
            "sslrootcert": self.ca_file or ssl.get_default_verify_paths().cafile or "system",
            # A reader's endpoint leads to a reader, and so does an address that was a writer's before a failover.
            "target_session_attrs": "read-write" if writer else "any",
            "application_name": self.application[:63],
            "options": " ".join(f"-c {name}={value}" for name, value in self.server_settings().items()),
            "connect_timeout": _CONNECT_SECONDS,
            "keepalives_idle": _SILENT_SECONDS // 2,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * _SILENT_SECONDS,
        }

    def server_settings(self) -> dict[str, str]:
        """The limits of a session, as `asyncpg.connect` takes them: a lock, and a transaction that does nothing."""
        return {
            "lock_timeout": str(_LOCK_MILLISECONDS),
            "idle_in_transaction_session_timeout": str(1000 * self.idle_seconds),
        }

    def ssl_context(self) -> ssl.SSLContext:
        """The context in which certificate and name are checked, for drivers that take one."""
        return ssl.create_default_context(cafile=self.ca_file)


@cache
def _signer(region: str) -> TokenSigner:
    return TokenSigner("rds-db", region=region, needed_by="A database with DATABASE_AUTHENTICATION=iam")


def _ca_file(environment: Mapping[str, str]) -> str | None:
    named = environment.get("DATABASE_CA_FILE")
    if named and not os.access(named, os.R_OK):
        raise SettingsError(f"DATABASE_CA_FILE is {named!r}, which cannot be read; name a file of certificates in PEM.")
    return named or (str(RDS_CA_FILE) if RDS_CA_FILE.exists() else None)

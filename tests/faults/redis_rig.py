"""A Valkey server of a test's own, at an address that stays when the server dies or another takes its place."""

import socket
from typing import Any, Self

import redis

from benchmarks.valkey import start_valkey
from fargate_workers_runtime import connect_redis
from tests.doubles.tcp_proxy import TcpProxy


class RedisRig:
    """The server, and the proxy in front of it through which a worker's clients connect.

    Nothing is persisted: a server that is killed has forgotten everything when it is started again.
    """

    def __init__(self, **config: Any) -> None:
        self._config = {name.replace("_", "-"): value for name, value in config.items()}
        # Bound and not listening: nobody is there, nor can come. Another test's server may get a port that was let go.
        self._nowhere = socket.socket()
        self._nowhere.bind(("127.0.0.1", 0))
        self.proxy = TcpProxy(0)
        self.start()

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__()
        self.server.terminate()
        self._nowhere.close()

    def connect(self, *, max_connections: int = 10, **changes: Any) -> redis.Redis:
        """A worker's client; `timeout=0.1, retries=0` for a cache."""
        environment = {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.proxy.port),
            "REDIS_TLS": "false",
            "REDIS_MAX_CONNECTIONS": str(max_connections),
        }
        return connect_redis(environment, **changes)

    @property
    def direct(self) -> redis.Redis:
        """A client that nothing stands in front of."""
        return redis.Redis(port=self.server.port, decode_responses=True)

    def kill(self) -> None:
        """kill -9."""
        self.proxy.upstream = self._nowhere.getsockname()[1]
        self.server.terminate()

    def start(self) -> None:
        """Start a server, empty, behind the same address."""
        self.server = start_valkey(**self._config)
        self.proxy.upstream = self.server.port

    def limit_memory(self, bytes_: int) -> None:
        """What is beyond it is refused, as nothing may be evicted; 0: no limit."""
        self.direct.config_set("maxmemory", bytes_)

    def crowd(self) -> list[redis.Redis]:
        """Take all the connections that the server allows."""
        self.direct.config_set("maxclients", 10)
        crowd = [redis.Redis(port=self.server.port, single_connection_client=True) for _ in range(10)]
        for client in crowd:
            client.ping()
        return crowd

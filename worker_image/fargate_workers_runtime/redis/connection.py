"""A Redis client from the environment that RedisCache.grant_connect sets: no secret, a bounded pool, short timeouts."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from fargate_workers_runtime.redis.one_slot import OneSlotClient
from fargate_workers_runtime.redis.pool import SharedConnections, SharingPool
from fargate_workers_runtime.settings import choice, number, text

#: ElastiCache takes a token for 15 minutes; each is used for 10, so that clocks may differ.
_TOKEN_USED_SECONDS = 600


class IamCredentials(CredentialProvider):
    """The password of an ElastiCache IAM user: a `connect` request for the cache, signed with the task's role."""

    def __init__(
        self, *, user: str, replication_group_id: str, region: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Imported where they are used: a client without IAM does not load botocore, which takes 15 MB.
        from fargate_workers_runtime.signing import TokenSigner  # noqa: PLC0415

        self._user = user
        self._clock = clock
        # The replication group's id stands where a host would, in lower case as ElastiCache keeps it.
        self._address = replication_group_id.lower()
        self._signer = TokenSigner("elasticache", region=region, needed_by=f"The Redis user {user}")
        self._lock = threading.Lock()
        self._token = ""
        self._signed_at = float("-inf")

    def get_credentials(self) -> tuple[str, str]:
        with self._lock:
            if self._clock() - self._signed_at >= _TOKEN_USED_SECONDS:
                self._token = self._sign()
                self._signed_at = self._clock()
            return self._user, self._token

    def _sign(self) -> str:
        return self._signer.sign(self._address, {"Action": "connect", "User": self._user})


def connect_redis(environment: Mapping[str, str], *, timeout: float = 1.0, retries: int = 3) -> redis.Redis:
    """A client for the cache in the environment; it connects at the first command.

    Environment: REDIS_HOST, REDIS_PORT (6379), REDIS_TLS ("true"), REDIS_MAX_CONNECTIONS (10); with REDIS_USER,
    REDIS_REPLICATION_GROUP_ID and AWS_REGION it authenticates by IAM. Certificates are checked against the system's
    authorities, or those in SSL_CERT_FILE.

    Clients of one process share its REDIS_MAX_CONNECTIONS connections, whatever their timeouts.

    Args:
        environment: The variables of the process, by name.
        timeout: For connecting and for a command, in seconds. Default: 1. A pool that is used up makes callers
            wait twice as long. A cache that is slower than what it caches is of no use: give its client 0.1, and no
            retries.
        retries: How often a command is tried again. Default: 3. It may have been done, and only its answer
            lost: scripts and increments must be written so that a repeated one is harmless.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    server = _server(environment, "REDIS_", decode=True, least=1)
    return redis.Redis(connection_pool=_pool(server, timeout=timeout, retries=retries))


def connect_broker(environment: Mapping[str, str], *, timeout: float) -> redis.Redis:
    """A client for the server of messages in the environment, BROKER_REDIS_* with the meaning of REDIS_*.

    Nothing is tried again: the pipeline knows for how long that is worth it, and a producer that it makes another
    message. Answers are bytes, in which nothing can be invalid. Each command's keys must be in one hash slot.

    Args:
        environment: The variables of the process, by name.
        timeout: For connecting and for a command, in seconds.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    # One waits for messages, and the others must not wait for it.
    server = _server(environment, "BROKER_REDIS_", decode=False, least=2)
    return OneSlotClient(connection_pool=_pool(server, timeout=timeout, retries=0))


@dataclass(frozen=True, kw_only=True)
class _IamUser:
    user: str
    replication_group_id: str
    region: str


@dataclass(frozen=True, kw_only=True)
class _Server:
    host: str
    port: int
    tls: bool
    iam: _IamUser | None
    connections: int
    decode: bool


def _server(environment: Mapping[str, str], prefix: str, *, decode: bool, least: int) -> _Server:
    return _Server(
        host=text(environment, f"{prefix}HOST"),
        port=number(environment, f"{prefix}PORT", 6379, 1, 65_535),
        tls=choice(environment, f"{prefix}TLS", "true", ("true", "false")) == "true",
        iam=_iam_user(environment, prefix),
        connections=number(environment, f"{prefix}MAX_CONNECTIONS", 10, least, 10_000),
        decode=decode,
    )


@cache
def _pool(server: _Server, *, timeout: float, retries: int) -> SharingPool:
    """The connections of the process's clients; those of the same patience share the pool, too."""
    # A failover leaves a connection at a replica, which refuses writes: connecting anew finds the new primary.
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=retries)
    retry.update_supported_errors([redis.ReadOnlyError])
    return SharingPool(
        _connections(server),
        patience=timeout,
        retry=retry,
        host=server.host,
        port=server.port,
        connection_class=redis.SSLConnection if server.tls else redis.Connection,
        credential_provider=_credentials(server.iam),
        # No health_check_interval: its ping, inside of connecting, retries anew at each retry, 16 tries in all.
        decode_responses=server.decode,
    )


@cache
def _connections(server: _Server) -> SharedConnections:
    """REDIS_MAX_CONNECTIONS is what the cache was promised, so it bounds all clients of a process together."""
    return SharedConnections(server.connections)


@cache
def _credentials(user: _IamUser | None) -> IamCredentials | None:
    return None if user is None else IamCredentials(**vars(user))


def _iam_user(environment: Mapping[str, str], prefix: str) -> _IamUser | None:
    user = environment.get(f"{prefix}USER")
    if not user:
        return None
    return _IamUser(
        user=user,
        replication_group_id=text(environment, f"{prefix}REPLICATION_GROUP_ID"),
        region=environment.get("AWS_REGION") or text(environment, "AWS_DEFAULT_REGION"),
    )

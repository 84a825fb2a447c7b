"""A Redis client from the environment that RedisCache.grant_connect sets: no secret, a bounded pool, short timeouts."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import redis
from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.settings import choice, number, text

#: ElastiCache takes a token for 15 minutes; each is used for 10, so that clocks may differ.
_TOKEN_VALID_SECONDS = 900
_TOKEN_USED_SECONDS = 600


class IamCredentials(CredentialProvider):
    """The password of an ElastiCache IAM user: a `connect` request for the cache, signed with the task's role."""

    def __init__(
        self, *, user: str, replication_group_id: str, region: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._user = user
        self._region = region
        self._clock = clock
        # The replication group's id stands where a host would, in lower case as ElastiCache keeps it.
        self._url = f"https://{replication_group_id.lower()}/?{urlencode({'Action': 'connect', 'User': user})}"
        # Kept, because the signer refers only weakly to the session's event emitter.
        self._session = Session()
        if (credentials := self._session.get_credentials()) is None:
            raise SettingsError(
                "REDIS_USER is set, but there are no AWS credentials to sign with; give the task a role."
            )
        self._signer = RequestSigner(
            ServiceId("elasticache"),
            region,
            "elasticache",
            "v4",
            credentials,
            self._session.get_component("event_emitter"),
        )
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
        request: dict[str, Any] = {"method": "GET", "url": self._url, "body": {}, "headers": {}, "context": {}}
        signed = self._signer.generate_presigned_url(
            request, operation_name="connect", expires_in=_TOKEN_VALID_SECONDS, region_name=self._region
        )
        return signed.removeprefix("https://")


def connect_redis(environment: Mapping[str, str], *, timeout: float = 1.0, retries: int = 3) -> redis.Redis:
    """A client for the cache in the environment; it connects at the first command.

    Environment: REDIS_HOST, REDIS_PORT (6379), REDIS_TLS ("true"), REDIS_MAX_CONNECTIONS (10); with REDIS_USER,
    REDIS_REPLICATION_GROUP_ID and AWS_REGION it authenticates by IAM. Certificates are checked against the system's
    authorities, or those in SSL_CERT_FILE.

    Clients of one process share a pool, if they agree on these two:

    Args:
        timeout: For connecting and for a command, in seconds. A pool that is used up makes callers wait twice as long.
            A cache that is slower than what it caches is of no use: give its client 0.1, and no retries.
        retries: How often a command is tried again. It may have been done, and only its answer lost: scripts and
            increments must be written so that a repeated one is harmless.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    server = _Server(
        host=text(environment, "REDIS_HOST"),
        port=number(environment, "REDIS_PORT", 6379, 1, 65_535),
        tls=choice(environment, "REDIS_TLS", "true", ("true", "false")) == "true",
        iam=_iam_user(environment),
        connections=number(environment, "REDIS_MAX_CONNECTIONS", 10, 1, 10_000),
    )
    return redis.Redis(connection_pool=_pool(server, timeout=timeout, retries=retries))


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


@cache
def _pool(server: _Server, *, timeout: float, retries: int) -> redis.BlockingConnectionPool:
    """One pool for all clients of a process: REDIS_MAX_CONNECTIONS is what the cache was promised."""
    return redis.BlockingConnectionPool(
        host=server.host,
        port=server.port,
        connection_class=redis.SSLConnection if server.tls else redis.Connection,
        credential_provider=None if server.iam is None else IamCredentials(**vars(server.iam)),
        max_connections=server.connections,
        timeout=2 * timeout,  # pyright: ignore[reportArgumentType]  its annotation alone says int
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
        # No health_check_interval: its ping, inside of connecting, retries anew at each retry, 16 tries in all.
        decode_responses=True,
        # A failover leaves this connection at a replica, which refuses writes: connecting anew finds the new primary.
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=retries),
        retry_on_error=[redis.ReadOnlyError],
    )


def _iam_user(environment: Mapping[str, str]) -> _IamUser | None:
    user = environment.get("REDIS_USER")
    if not user:
        return None
    return _IamUser(
        user=user,
        replication_group_id=text(environment, "REDIS_REPLICATION_GROUP_ID"),
        region=environment.get("AWS_REGION") or text(environment, "AWS_DEFAULT_REGION"),
    )

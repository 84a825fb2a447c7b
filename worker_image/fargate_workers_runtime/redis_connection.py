"""A Redis client from the environment that RedisCache.grant_connect sets: no secret, a bounded pool, short timeouts."""

import threading
import time
from collections.abc import Callable, Mapping
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
from fargate_workers_runtime.settings import number, text

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


def connect_redis(environment: Mapping[str, str]) -> redis.Redis:
    """A client for the cache in the environment; it connects at the first command.

    Environment: REDIS_HOST, REDIS_PORT (6379), REDIS_TLS ("true"), REDIS_MAX_CONNECTIONS (10); with REDIS_USER,
    REDIS_REPLICATION_GROUP_ID and AWS_REGION it authenticates by IAM. Certificates are checked against the system's
    authorities, or those in SSL_CERT_FILE.

    A pool that is used up makes callers wait for two seconds. Commands time out after one second and are tried three
    times: scripts and increments must be written so that a repeated one is harmless.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    tls = environment.get("REDIS_TLS", "true")
    if tls not in ("true", "false"):
        raise SettingsError(f"REDIS_TLS is {tls!r}; make it 'true' or 'false'.")
    pool = redis.BlockingConnectionPool(
        host=text(environment, "REDIS_HOST"),
        port=number(environment, "REDIS_PORT", 6379, 1, 65_535),
        connection_class=redis.SSLConnection if tls == "true" else redis.Connection,
        credential_provider=_credentials(environment),
        max_connections=number(environment, "REDIS_MAX_CONNECTIONS", 10, 1, 10_000),
        timeout=2,
        socket_connect_timeout=2,
        socket_timeout=1,
        health_check_interval=30,
        decode_responses=True,
        # A failover leaves this connection at a replica, which refuses writes: connecting anew finds the new primary.
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=3),
        retry_on_error=[redis.ReadOnlyError],
    )
    return redis.Redis(connection_pool=pool)


def _credentials(environment: Mapping[str, str]) -> IamCredentials | None:
    user = environment.get("REDIS_USER")
    if not user:
        return None
    return IamCredentials(
        user=user,
        replication_group_id=text(environment, "REDIS_REPLICATION_GROUP_ID"),
        region=environment.get("AWS_REGION") or text(environment, "AWS_DEFAULT_REGION"),
    )

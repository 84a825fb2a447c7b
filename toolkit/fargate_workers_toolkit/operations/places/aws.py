"""The clients of one place."""

from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places.place import Place

#: Attempts at one request, pauses between them included: a person waits.
_ATTEMPTS = 5
#: Requests that a command has open at once.
_CONNECTIONS = 20
#: Seconds for which a signed request is taken: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
SIGNED_SECONDS = 900


class Aws:
    """AWS, or the embedded one, as one environment sees it.

    Args:
        place: The environment's place.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._clients: dict[str, Any] = {}
        self._lock = Lock()
        self._session: Any = None

    def client(self, service: str) -> Any:
        """Return a boto3 client, which may be used by several threads.

        Args:
            service: The service's name in boto3, for example `"sqs"`.

        Raises:
            OperationsError: There are no credentials, or no region.
        """
        with self._lock:
            if service not in self._clients:
                with answered(sign_in=self.place.sign_in):
                    self._clients[service] = self._make(service)
            return self._clients[service]

    def presigned(self, service: str, url: str, query: Mapping[str, str]) -> str:
        """Sign a request that another sends: a broker takes it for a password.

        Args:
            service: The service's name in a signature, such as `elasticache`.
            url: The request's address, without a query.
            query: What it asks for.

        Raises:
            BotoCoreError: There are no credentials, or they cannot be renewed.
        """
        with self._lock:
            session = self._opened()
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        region = self.place.region or session.region_name
        signer = RequestSigner(ServiceId(service), region, service, "v4", credentials, session.events)
        request: dict[str, Any] = {
            "method": "GET",
            "url": f"{url}?{urlencode(query)}",
            "body": {},
            "headers": {},
            "context": {},
        }
        return signer.generate_presigned_url(
            request, operation_name="connect", expires_in=SIGNED_SECONDS, region_name=region
        )

    def _make(self, service: str) -> Any:
        place = self.place
        local = place.endpoint is not None
        session = self._opened()
        config = Config(
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra="fargate-workers",
            # A proxy in the environment has no way to this machine's loopback.
            proxies={} if local else None,
        )
        return session.client(service, endpoint_url=place.endpoint, config=config)

    def _opened(self) -> Any:
        place = self.place
        local = place.endpoint is not None
        if self._session is None:
            self._session = boto3.Session(
                region_name=place.region,
                profile_name=None if local else place.profile,
                # The embedded AWS takes the key for the account.
                aws_access_key_id=place.account if local else None,
                aws_secret_access_key="local" if local else None,
            )
        return self._session

    def check_account(self) -> None:
        """Compare the account of the credentials with the environment's.

        Raises:
            OperationsError: They differ, or AWS cannot be asked.
        """
        with answered(sign_in=self.place.sign_in):
            account = self.client("sts").get_caller_identity()["Account"]
        if self.place.account not in (None, account):
            raise OperationsError(
                f"These credentials belong to account {account}, and {self.place.named_by} names "
                f"{self.place.account} for {self.place.environment}; give another --profile."
            )

"""The clients of one place."""

import os
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import botocore.session
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
        """Return a client of botocore, which may be used by several threads.

        Args:
            service: The service's name in botocore, for example `"sqs"`.

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
        region = self._region or session.get_config_variable("region")
        events = session.get_component("event_emitter")
        signer = RequestSigner(ServiceId(service), region, service, "v4", credentials, events)
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
        return session.create_client(service, region_name=self._region, endpoint_url=place.endpoint, config=config)

    @property
    def _region(self) -> str | None:
        # Of these two variables, botocore reads the second alone.
        return self.place.region or os.environ.get("AWS_REGION") or None

    def _opened(self) -> Any:
        place = self.place
        local = place.endpoint is not None
        if self._session is None:
            # Not boto3's, which imports half as much again, for the transfer of files.
            self._session = botocore.session.Session(profile=None if local else place.profile)
            if local:
                # The embedded AWS takes the key for the account.
                self._session.set_credentials(place.account, "local")
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

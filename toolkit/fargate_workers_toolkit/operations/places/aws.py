"""The clients of one place."""

import os
from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places.place import Place

#: Attempts at one request, pauses between them included: a person waits.
_ATTEMPTS = 5
#: Requests that a command has open at once.
_CONNECTIONS = 20


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

    def _make(self, service: str) -> Any:
        place = self.place
        local = place.endpoint is not None
        if self._session is None:
            # Not boto3's, which imports half as much again, for the transfer of files.
            self._session = botocore.session.Session(profile=None if local else place.profile)
            if local:
                # The embedded AWS takes the key for the account.
                self._session.set_credentials(place.account, "local")
        config = Config(
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra="fargate-workers",
            # A proxy in the environment has no way to this machine's loopback.
            proxies={} if local else None,
        )
        # Of these two variables, botocore reads the second alone.
        region = place.region or os.environ.get("AWS_REGION") or None
        return self._session.create_client(service, region_name=region, endpoint_url=place.endpoint, config=config)

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

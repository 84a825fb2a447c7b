"""Tokens that a service takes for a password: a request, signed with the task's role and never sent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

from fargate_workers_runtime.errors import SettingsError

#: How long a service takes a token, in seconds: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
#: and https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
VALID_SECONDS = 900


class TokenSigner:
    """A signer of tokens for one service. To sign takes less than a millisecond and no request.

    Args:
        service: The service's name in a signature, such as `elasticache` or `rds-db`.
        region: The region that the token is for.
        needed_by: Who asks for tokens, for the error's text.
        session: Where the credentials are. Default: a new session.

    Raises:
        SettingsError: There are no credentials to sign with.
    """

    def __init__(self, service: str, *, region: str, needed_by: str, session: Session | None = None) -> None:
        self._region = region
        # Kept, because the signer refers only weakly to the session's event emitter.
        self._session = session or Session()
        credentials: Any = self._session.get_credentials()
        if credentials is None:
            raise SettingsError(f"{needed_by} needs AWS credentials to sign with; give the task a role.")
        self.credentials = credentials
        events = self._session.get_component("event_emitter")
        self._signer = RequestSigner(ServiceId(service), region, service, "v4", credentials, events)

    def sign(self, address: str, query: Mapping[str, str], *, seconds: int = VALID_SECONDS) -> str:
        """A token.

        Args:
            address: The host, with its port where the service asks for one.
            query: What the request asks for.
            seconds: How long the service should take it. Default: as long as it does.
        """
        url = f"https://{address}/?{urlencode(query)}"
        request: dict[str, Any] = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
        signed = self._signer.generate_presigned_url(
            request, operation_name="connect", expires_in=seconds, region_name=self._region
        )
        return signed.removeprefix("https://")

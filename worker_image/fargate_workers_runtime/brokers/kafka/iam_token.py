"""IAM tokens of MSK: a request to connect to the cluster, signed with the task's role."""

import base64
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

from fargate_workers_runtime.errors import SettingsError

#: MSK takes a token for 15 minutes. One that outlives the credentials that signed it is refused before.
#: https://github.com/aws/aws-msk-iam-sasl-signer-python
TOKEN_SECONDS = 900

#: A token is replaced after so much of its life. The client replaces it after 0.8 of the life that it hears of.
_USED_SHARE = 0.6
_REPLACED_BY_CLIENT = 0.8

_USER_AGENT = "fargate-workers-runtime"


class TokenSigner:
    """The tokens of one region, each signed anew: that takes less than a millisecond and no request.

    The task's own role signs: "Cannot change principals during re-authentication" is what a role that is assumed
    here would meet (https://github.com/aws/aws-msk-iam-auth/issues/143).

    Args:
        region: The cluster's.
        session: Where the credentials are. Default: a new session.
        clock: Seconds since the epoch. Default: the real time.

    Raises:
        SettingsError: There are no credentials.
    """

    def __init__(self, region: str, *, session: Session | None = None, clock: Callable[[], float] = time.time) -> None:
        self._region = region
        self._clock = clock
        # Kept, because the signer refers only weakly to the session's event emitter.
        self._session = session or Session()
        credentials: Any = self._session.get_credentials()
        if credentials is None:
            raise SettingsError(
                "KAFKA_AUTHENTICATION is 'iam', but there are no AWS credentials to sign with; give the task a role."
            )
        self._credentials = credentials
        self._signer = RequestSigner(
            ServiceId("kafka-cluster"),
            region,
            "kafka-cluster",
            "v4",
            credentials,
            self._session.get_component("event_emitter"),
        )

    def token(self) -> tuple[str, float]:
        """A token, and the end of its life as the client should see it, in seconds since the epoch."""
        self._credentials.get_frozen_credentials()  # renews those that are about to end, which is asked for below
        seconds = self._seconds_valid()
        url = f"https://kafka.{self._region}.amazonaws.com/?Action={quote('kafka-cluster:Connect', safe='')}"
        request: dict[str, Any] = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
        signed = self._signer.generate_presigned_url(
            request, operation_name="Connect", expires_in=seconds, region_name=self._region
        )
        text = f"{signed}&User-Agent={_USER_AGENT}"
        token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return token, self._clock() + seconds * _USED_SHARE / _REPLACED_BY_CLIENT

    def _seconds_valid(self) -> int:
        """Seconds until the token or its credentials end, whichever is first."""
        needed: Callable[[int], bool] | None = getattr(self._credentials, "refresh_needed", None)
        if needed is None or not needed(TOKEN_SECONDS):
            return TOKEN_SECONDS
        least, most = 0, TOKEN_SECONDS
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if needed(middle) else (middle, most)
        return max(1, least)

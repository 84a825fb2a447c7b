"""IAM tokens of MSK: a request to connect to the cluster, signed with the task's role."""

import base64
import time
from collections.abc import Callable

from botocore.session import Session

from fargate_workers_runtime import signing

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
        self._host = f"kafka.{region}.amazonaws.com"
        self._clock = clock
        self._signer = signing.TokenSigner(
            "kafka-cluster", region=region, needed_by="A topic with KAFKA_AUTHENTICATION=iam", session=session
        )

    def token(self) -> tuple[str, float]:
        """A token, and the end of its life as the client should see it, in seconds since the epoch."""
        self._signer.credentials.get_frozen_credentials()  # renews those that are about to end, asked for below
        seconds = self._seconds_valid()
        signed = self._signer.sign(self._host, {"Action": "kafka-cluster:Connect"}, seconds=seconds)
        text = f"https://{signed}&User-Agent={_USER_AGENT}"
        token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return token, self._clock() + seconds * _USED_SHARE / _REPLACED_BY_CLIENT

    def _seconds_valid(self) -> int:
        """Seconds until the token or its credentials end, whichever is first."""
        needed: Callable[[int], bool] | None = getattr(self._signer.credentials, "refresh_needed", None)
        if needed is None or not needed(TOKEN_SECONDS):
            return TOKEN_SECONDS
        least, most = 0, TOKEN_SECONDS
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if needed(middle) else (middle, most)
        return max(1, least)

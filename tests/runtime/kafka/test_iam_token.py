"""IAM tokens: what MSK's own signer makes, bound to the life of the credentials."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials

from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.kafka.iam_token import TOKEN_SECONDS, TokenSigner

NOW = 1_800_000_000.0


class Session:
    """A botocore session with credentials of its own."""

    def __init__(self, credentials: Any) -> None:
        from botocore.session import Session as Real

        self._credentials = credentials
        self._real = Real()

    def get_credentials(self) -> Any:
        return self._credentials

    def get_component(self, name: str) -> Any:
        return self._real.get_component(name)


def signer(credentials: Any) -> TokenSigner:
    return TokenSigner("eu-west-1", session=Session(credentials), clock=lambda: NOW)  # type: ignore[arg-type]


def lasting(seconds: float) -> RefreshableCredentials:
    """A role's credentials with so many seconds left, which cannot be renewed yet."""
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    metadata = {
        "access_key": "AKID",
        "secret_key": "SECRET",
        "token": "SESSION",
        "expiry_time": expires_at.isoformat(),
    }
    return RefreshableCredentials.create_from_metadata(
        metadata, refresh_using=lambda: metadata, method="test", mandatory_timeout=0, advisory_timeout=0
    )


def url_of(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def query_of(token: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url_of(token)).query).items()}


def test_a_token_is_a_signed_request_to_connect() -> None:
    token, _ = signer(Credentials("AKID", "SECRET", "SESSION")).token()
    url, query = urlsplit(url_of(token)), query_of(token)
    assert (url.scheme, url.netloc, url.path) == ("https", "kafka.eu-west-1.amazonaws.com", "/")
    assert query["Action"] == "kafka-cluster:Connect"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].endswith("/eu-west-1/kafka-cluster/aws4_request")
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-Security-Token"] == "SESSION"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert query["User-Agent"] == "fargate-workers-runtime"
    assert not token.endswith("=")


def test_a_token_is_the_one_of_msks_own_signer() -> None:
    """The steps of aws-msk-iam-sasl-signer-python 1.0.2, at the same second."""
    credentials = Credentials("AKID", "SECRET", "SESSION")
    ours, theirs = "", "not yet"
    for _ in range(3):  # a second may turn between the two
        ours = url_of(signer(credentials).token()[0]).partition("&User-Agent=")[0]
        request = AWSRequest(
            method="GET", url="https://kafka.eu-west-1.amazonaws.com/", params={"Action": "kafka-cluster:Connect"}
        )
        SigV4QueryAuth(credentials, "kafka-cluster", "eu-west-1", expires=900).add_auth(request)
        theirs = request.prepare().url
        if {*ours.split("&")} == {*theirs.split("&")}:
            break
    assert {*urlsplit(ours).query.split("&")} == {*urlsplit(theirs).query.split("&")}


@pytest.mark.parametrize(("left", "expected"), [(21_600, 900), (600, 600), (90, 90), (1, 1)])
def test_a_token_ends_with_the_credentials_that_signed_it(left: int, expected: int) -> None:
    """Signed with credentials about to be replaced, a token is "Session too short" every six hours on ECS."""
    token, _ = signer(lasting(left)).token()
    assert abs(int(query_of(token)["X-Amz-Expires"]) - expected) <= 2


def test_credentials_without_an_end_give_the_longest_token() -> None:
    token, expires_at = signer(Credentials("AKID", "SECRET")).token()
    assert query_of(token)["X-Amz-Expires"] == str(TOKEN_SECONDS)
    # The client replaces a token after 0.8 of the life that it hears of, and so after 0.6 of the real one.
    assert (expires_at - NOW) * 0.8 == pytest.approx(TOKEN_SECONDS * 0.6)


def test_without_credentials_the_settings_are_wrong() -> None:
    with pytest.raises(SettingsError, match="give the task a role"):
        signer(None)

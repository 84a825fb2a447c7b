"""The token by which a function signs in to ElastiCache: a `connect` request, signed with the function's role."""

from typing import Any
from urllib.parse import urlencode

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

#: Seconds for which ElastiCache takes a token.
#: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
VALID_SECONDS = 900


def token(*, user: str, replication_group_id: str, region: str) -> str:
    """A token for one user of one cache.

    Args:
        user: The name of the user, which is its id as well.
        replication_group_id: The id of the cache.
        region: The region of the cache.

    Raises:
        LookupError: There are no credentials to sign with.
    """
    session = Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupError("There are no AWS credentials to sign a token with; the function has no role.")
    signer = RequestSigner(
        ServiceId("elasticache"), region, "elasticache", "v4", credentials, session.get_component("event_emitter")
    )
    # The replication group's id stands where a host would, in lower case as ElastiCache keeps it.
    url = f"https://{replication_group_id.lower()}/?{urlencode({'Action': 'connect', 'User': user})}"
    request: dict[str, Any] = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
    signed = signer.generate_presigned_url(
        request, operation_name="connect", expires_in=VALID_SECONDS, region_name=region
    )
    return signed.removeprefix("https://")

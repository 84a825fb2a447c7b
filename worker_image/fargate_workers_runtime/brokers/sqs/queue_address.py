"""Where a queue is, by its URL: requests to it are signed for its region, whatever the task's own is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from fargate_workers_runtime.errors import SettingsError

#: What hosts end in, by partition, those that also speak IPv6 included; as botocore's endpoints.json has them.
_DOMAINS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "csp.hci.ic.gov",
    "cloud.adc-e.uk",
)
_HOST = re.compile(
    r"(?P<endpoint>vpce-[a-z0-9-]+\.)?(?:(?P<service>sqs|sqs-fips)\.)?(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)\.(?P<rest>.+)"
)
_REST = {f"{prefix}{domain}" for prefix in ("", "queue.", "vpce.") for domain in _DOMAINS}

#: The oldest hosts, of the one region that there was.
_FIRST = {"queue.amazonaws.com": "us-east-1", "sqs.amazonaws.com": "us-east-1"}


@dataclass(frozen=True, kw_only=True)
class Address:
    """What an SQS client needs for a queue; None is what botocore finds by itself.

    Attributes:
        region: The queue's.
        endpoint: The interface endpoint, or the FIPS or IPv6 one, that the queue's URL names.
    """

    region: str | None = None
    endpoint: str | None = None


def address_of(url: str, environment: Mapping[str, str]) -> Address:
    """The address of the queue at `url`; none of a host that is not AWS's.

    AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SQS come first: where one is set, requests go there.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    special = host.startswith(("vpce-", "sqs-fips.")) or ".api." in host
    elsewhere = environment.get("AWS_ENDPOINT_URL_SQS") or environment.get("AWS_ENDPOINT_URL")
    region = region_of(url)
    endpoint = f"{parts.scheme}://{parts.netloc}" if region and special and not elsewhere else None
    return Address(region=region, endpoint=endpoint)


@lru_cache  # asked for each request, of a queue or two
def region_of(url: str) -> str | None:
    """The region in the host of a queue's URL; None if it is not AWS's."""
    host = urlsplit(url).hostname or ""
    found = _HOST.fullmatch(host)
    if found is None or found["rest"] not in _REST:
        return _FIRST.get(host)
    # Exactly one of these shows that it is SQS: `sqs.` in front, or `queue.` behind, as the oldest hosts have it.
    named = (found["service"] is not None) != found["rest"].startswith("queue.")
    inside = (found["endpoint"] is not None) == found["rest"].startswith("vpce.")
    return found["region"] if named and inside else None


def check_addresses(queue_url: str, dead_letter_queue_url: str | None) -> None:
    """Refuse a dead-letter queue in another region than its queue: SQS has none, and one client serves both.

    Raises:
        SettingsError: They are in two regions.
    """
    queue, letters = region_of(queue_url), region_of(dead_letter_queue_url or "")
    if queue and letters and queue != letters:
        raise SettingsError(f"DEAD_LETTER_QUEUE_URL is in {letters}, QUEUE_URL in {queue}; make it a queue in {queue}.")

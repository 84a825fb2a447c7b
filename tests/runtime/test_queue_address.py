"""The region that requests to a queue are signed for, by the queue's URL."""

from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest

from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.sqs.queue_address import Address, address_of, check_addresses, region_of
from fargate_workers_runtime.clients import sqs_client

VPCE = "vpce-0abc1-9xyz.sqs.eu-west-1.vpce.amazonaws.com"
ZONAL = "vpce-0abc1-9xyz-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.ap-southeast-7.amazonaws.com", "ap-southeast-7"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("sqs-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("sqs.eu-central-1.api.aws", "eu-central-1"),
        ("sqs-fips.us-east-1.api.aws", "us-east-1"),
        ("sqs.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("cn-north-1.queue.amazonaws.com.cn", "cn-north-1"),
        (VPCE, "eu-west-1"),
        (ZONAL, "eu-west-1"),
        ("SQS.EU-WEST-1.amazonaws.com", "eu-west-1"),
        ("127.0.0.1:4566", None),
        ("localhost", None),
        ("sqs.eu-west-1.localhost.localstack.cloud:4566", None),
        ("sqs.eu-west-1.amazonaws.com.example.org", None),
        ("sqs.internal.example.com", None),
        ("sns.eu-west-1.amazonaws.com", None),
        ("eu-west-1.amazonaws.com", None),
        ("sqs.eu-west-1.vpce.amazonaws.com", None),
        ("", None),
    ],
)
def test_the_region_of_a_host(host: str, region: str | None) -> None:
    assert region_of(f"https://{host}/123456789012/orders.fifo") == region


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("sqs.eu-west-1.amazonaws.com", "https://sqs.eu-west-1.amazonaws.com"),
        ("eu-west-1.queue.amazonaws.com", "https://sqs.eu-west-1.amazonaws.com"),
        ("sqs-fips.eu-west-1.amazonaws.com", "https://sqs-fips.eu-west-1.amazonaws.com"),
        ("sqs.eu-west-1.api.aws", "https://sqs.eu-west-1.api.aws"),
        (VPCE, f"https://{VPCE}"),
    ],
)
def test_a_client_signs_for_the_queues_region_and_goes_where_the_url_says(
    host: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.delenv(name, raising=False)
    client = sqs_client(queue_url=f"https://{host}/123456789012/orders")
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", endpoint)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"])
def test_an_endpoint_of_ones_own_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    monkeypatch.setenv(name, "http://127.0.0.1:4566")
    for url, region in ((f"https://{VPCE}/1/q", "eu-west-1"), ("http://127.0.0.1:4566/1/q", "us-east-2")):
        client = sqs_client(queue_url=url)
        assert (client.meta.region_name, client.meta.endpoint_url) == (region, "http://127.0.0.1:4566")


def test_a_host_of_ones_own_says_nothing() -> None:
    assert address_of("http://127.0.0.1:4566/1/q", {}) == Address()


def test_a_dead_letter_queue_in_another_region_is_one_sentence() -> None:
    queue = "https://sqs.eu-west-1.amazonaws.com/1/q"
    for letters in (None, "https://eu-west-1.queue.amazonaws.com/1/d", "http://127.0.0.1:4566/1/d"):
        check_addresses(queue, letters)
    with pytest.raises(SettingsError, match="DEAD_LETTER_QUEUE_URL is in us-east-1, QUEUE_URL in eu-west-1; make "):
        check_addresses(queue, "https://queue.amazonaws.com/1/d")


@pytest.mark.parametrize(
    ("asked", "host", "signed"),
    [
        ("https://sqs.us-east-1.amazonaws.com/1/orders", "sqs.us-east-1.amazonaws.com", "us-east-1"),
        ("https://sqs.eu-west-1.amazonaws.com/1/orders", "sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("http://127.0.0.1:4566/1/orders", "sqs.eu-west-1.amazonaws.com", "eu-west-1"),
    ],
)
def test_a_sender_asks_the_region_of_each_queue_it_sends_to(
    asked: str, host: str, signed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.delenv(name, raising=False)
    sent: list[AWSPreparedRequest] = []

    def refuse(request: AWSPreparedRequest, **_: object) -> None:
        sent.append(request)
        raise ConnectionRefusedError

    client = sqs_client()
    client.meta.events.register("before-send.sqs", refuse)
    with pytest.raises(ConnectionRefusedError):
        client.send_message(QueueUrl=asked, MessageBody="{}")

    assert urlsplit(sent[0].url).hostname == host
    assert f"/{signed}/sqs/aws4_request" in str(sent[0].headers["Authorization"])

"""What S3 tells EventBridge, and which of it is asked for."""

from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_s3 as s3

from fargate_workers.cloudformation.event_bridge import object_created, switch_on_event_bridge
from tests.doubles.stack_facts import synthesize


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"prefix": "incoming/"}, {"prefix": "incoming/"}),
        ({"suffix": ".csv"}, {"suffix": ".csv"}),
        ({"prefix": "incoming/", "suffix": ".csv"}, {"wildcard": "incoming/*.csv"}),
        ({"prefix": "a*b\\", "suffix": "*"}, {"wildcard": "a\\*b\\\\*\\*"}),
    ],
)
def test_a_key_must_begin_and_end_as_asked(options: dict[str, str], key: dict[str, str]) -> None:
    assert object_created("files", **options)["detail"]["object"] == {"key": [key]}


def test_without_a_filter_every_object_of_the_bucket_counts() -> None:
    assert object_created("files") == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["files"]}},
    }


def test_a_bucket_announces_its_objects_by_a_property_of_its_own() -> None:
    def build(stack: Stack) -> None:
        bucket = s3.Bucket(stack, "Files")
        switch_on_event_bridge(bucket)
        switch_on_event_bridge(bucket)
        switch_on_event_bridge(s3.Bucket.from_bucket_name(stack, "Elsewhere", "elsewhere"))

    facts = synthesize({"stack": build})["stack"]
    expected: Any = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert facts.only("S3::Bucket")["NotificationConfiguration"] == expected
    assert len(facts.resources) == 1

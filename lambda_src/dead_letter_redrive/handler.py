"""The edge: settings from the environment, boto3, and an answer for whoever called."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from dead_letter_redrive.redrive import Report, grant
from dead_letter_redrive.request import Queue, Refused, parse


def handler(event: object, context: object) -> Report | dict[str, str]:  # noqa: ARG001 - Lambda passes both
    """Answer a request; what cannot be granted is said, not raised, so that a slip of the keyboard wakes nobody."""
    try:
        request = parse(event, queues(os.environ["QUEUES"]), messages_per_second=int(os.environ["MESSAGES_PER_SECOND"]))
        return grant(request, client())
    except Refused as refusal:
        return {"refused": str(refusal)}


def queues(text: str) -> Mapping[str, Queue]:
    """QUEUES is JSON: name -> {"arn": ..., "dead_letter_queue_arn": ...}."""
    return {name: Queue(name=name, **arns) for name, arns in json.loads(text).items()}


@cache
def client() -> Any:
    return boto3.client("sqs")  # pyright: ignore[reportUnknownMemberType]

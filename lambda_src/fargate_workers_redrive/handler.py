"""The Lambda handler of a redrive: settings from the environment, boto3, and an answer for the caller."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from fargate_workers_redrive.choosing import Chosen, Clock, redrive_chosen
from fargate_workers_redrive.redrive import Report, grant, refuse_while_moving
from fargate_workers_redrive.request import Queue, Refused, parse


def handler(event: object, context: Any) -> Report | Chosen | dict[str, str]:
    """Answer a request. A refusal is an answer, not an error, so that a mistyped request raises no alarm.

    Args:
        event: The request; see `fargate_workers_redrive.request.parse`.
        context: Lambda's context, by which a redrive of chosen letters ends in time.
    """
    try:
        request = parse(event, queues(), messages_per_second=int(os.environ["MESSAGES_PER_SECOND"]))
        if request.where is None:
            return grant(request, client())
        refuse_while_moving(request, client())
        return redrive_chosen(
            request.queue,
            request.where,
            messages_per_second=request.messages_per_second,
            sqs=client(),
            clock=Clock(left=lambda: context.get_remaining_time_in_millis() / 1_000),
        )
    except Refused as refusal:
        return {"refused": str(refusal)}


def queues() -> Mapping[str, Queue]:
    """The queues by their workers' names, from the environment.

    QUEUES is JSON: worker -> [queue, dead-letter queue], each a name after QUEUE_ARN_PREFIX, or a whole ARN.
    """
    prefix = os.environ["QUEUE_ARN_PREFIX"]
    return {
        name: Queue(name, *(queue if queue.startswith("arn:") else prefix + queue for queue in pair))
        for name, pair in json.loads(os.environ["QUEUES"]).items()
    }


@cache
def client() -> Any:
    """The client of SQS, made once."""
    return boto3.client("sqs")  # pyright: ignore[reportUnknownMemberType]

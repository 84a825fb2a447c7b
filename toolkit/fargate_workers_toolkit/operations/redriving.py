"""SQS's own redrive of all dead letters, by the function that is deployed for it."""

import json
from typing import Any

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import Worker


def redrive(aws: Aws, worker: Worker, action: str, *, messages_per_second: int | None = None) -> dict[str, Any]:
    """Ask the redrive function to start, describe or cancel the redrive of a worker's dead letters.

    Args:
        aws: The worker's AWS.
        worker: The worker.
        action: `start`, `status` or `cancel`.
        messages_per_second: The rate. Defaults to the function's own.

    Returns:
        The function's answer.

    Raises:
        OperationsError: There is no such function for the worker, or it refuses.
    """
    event = {"action": action, "queue": worker.short_name}
    request = event if messages_per_second is None else {**event, "messages_per_second": messages_per_second}
    stack = worker.name.partition("/")[0]
    # That of the worker's own stack first: another stack may have a worker of the same name.
    functions = sorted(_functions(aws), key=lambda item: item[1].partition("/")[0] != stack)
    for arn, _ in functions:
        answer = _call(aws, arn, request)
        if "refused" not in answer:
            return answer
        if "is unknown" not in answer["refused"]:
            raise OperationsError(answer["refused"])
    raise OperationsError(
        f"No redrive function of {aws.place.environment} knows {worker.short_name}; add a DeadLetterRedrive to its "
        "stack, or leave out --by-sqs."
    )


def _functions(aws: Aws) -> list[tuple[str, str]]:
    """The ARN and the qualified name of each redrive function."""
    filters = {tags.ENVIRONMENT: aws.place.environment, tags.ROLE: tags.REDRIVE_ROLE}
    with answered(sign_in=aws.place.sign_in):
        pages = (
            aws.client("resourcegroupstaggingapi")
            .get_paginator("get_resources")
            .paginate(
                TagFilters=[{"Key": key, "Values": [value]} for key, value in filters.items()],
                ResourceTypeFilters=["lambda:function"],
            )
        )
        return [
            (item["ResourceARN"], next((tag["Value"] for tag in item["Tags"] if tag["Key"] == tags.WORKER), ""))
            for page in pages
            for item in page["ResourceTagMappingList"]
        ]


def _call(aws: Aws, arn: str, request: dict[str, Any]) -> dict[str, Any]:
    with answered(sign_in=aws.place.sign_in):
        answer = aws.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(request).encode())
    text = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        raise OperationsError(f"The redrive function failed: {text}; its log says more.")
    return json.loads(text)

"""The functions among the workers: their settings, and the event source mappings that feed them."""

from datetime import datetime
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers.finding import service_of, task_settings
from fargate_workers_toolkit.operations.workers.worker import (
    FunctionState,
    FunctionWorker,
    ServiceWorker,
    TaskSettings,
    Worker,
)


def settings_of(aws: Aws, worker: Worker) -> TaskSettings:
    """The settings of a worker: those of its service's task definition, or of its function.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: It is gone, or AWS refuses.
    """
    if isinstance(worker, ServiceWorker):
        return task_settings(aws, service_of(aws, worker).task_definition)
    if isinstance(worker, FunctionWorker):
        return function_settings(aws, worker)
    raise OperationsError(f"{worker.name} is neither a service nor a function.")


def function_settings(aws: Aws, worker: FunctionWorker) -> TaskSettings:
    """Read the settings of a function.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: It is gone, or AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        found = aws.client("lambda").get_function_configuration(FunctionName=worker.arn)
    return TaskSettings(
        revision=worker.function,
        image="",
        architecture="ARM64" if found.get("Architectures") == ["arm64"] else "X86_64",
        vcpus=0.0,
        log_group=found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{worker.function}",
        variables=found.get("Environment", {}).get("Variables", {}),
    )


def describe_function(aws: Aws, worker: FunctionWorker) -> FunctionState:
    """Describe a function and its event source mapping.

    Args:
        aws: Its AWS.
        worker: The worker.

    Raises:
        OperationsError: The function is gone, or AWS refuses.
    """
    functions = aws.client("lambda")
    with answered(sign_in=aws.place.sign_in):
        found = functions.get_function_configuration(FunctionName=worker.arn)
        mappings: list[dict[str, Any]] = functions.list_event_source_mappings(FunctionName=worker.function)[
            "EventSourceMappings"
        ]
        tags = functions.list_tags(Resource=worker.arn)["Tags"]
    queue = found.get("Environment", {}).get("Variables", {}).get("QUEUE_URL", "").rpartition("/")[2]
    own = [each for each in mappings if each.get("EventSourceArn", "").endswith(f":{queue}")]
    mapping = own[0] if own else {}
    return FunctionState(
        mapping=mapping.get("UUID", ""),
        state=mapping.get("State", "gone"),
        max_concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
        updated_at=_moment(found.get("LastModified", "")),
        tags=tags,
    )


def _moment(text: str) -> float:
    """Lambda's own way of writing a time, in seconds since 1970; 0 where it writes none."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    except ValueError:
        return 0.0

"""The start, the state and the cancellation of SQS's own message move task for one dead-letter queue."""

from typing import Any, NotRequired, TypedDict

from fargate_workers_redrive.request import Queue, Refused, Request

ACTIVE = ("RUNNING", "CANCELLING")


class Report(TypedDict):
    """The state of the last redrive of a queue.

    Attributes:
        queue: The name of the queue's worker.
        status: SQS's status, or NONE when there has been no redrive.
        moved: Messages moved so far, approximately.
        to_move: Messages to move, approximately.
        messages_per_second: The rate.
        failure: Why it failed.
    """

    queue: str
    status: str
    moved: int
    to_move: NotRequired[int]
    messages_per_second: NotRequired[int]
    failure: NotRequired[str]


def grant(request: Request, sqs: Any) -> Report:
    """Do what a request asks, unless the state of the last redrive forbids it.

    Args:
        request: The request.
        sqs: The client of SQS.

    Raises:
        Refused: A redrive runs already, or there is none to cancel.
    """
    task = last_task(request.queue, sqs)
    if request.action == "start":
        return _start(request, task, sqs)
    if request.action == "cancel":
        return _cancel(request.queue, task, sqs)
    return report(request.queue, task)


def last_task(queue: Queue, sqs: Any) -> dict[str, Any]:
    """The last message move task of a queue, as SQS describes it; its status is NONE when there has been none.

    Args:
        queue: The queue.
        sqs: The client of SQS.
    """
    tasks = sqs.list_message_move_tasks(SourceArn=queue.dead_letter_queue_arn, MaxResults=1).get("Results", [])
    return tasks[0] if tasks else {"Status": "NONE"}


def report(queue: Queue, task: dict[str, Any]) -> Report:
    """The state of a message move task.

    Args:
        queue: The queue.
        task: The task, as SQS describes it.
    """
    result = Report(queue=queue.name, status=task["Status"], moved=task.get("ApproximateNumberOfMessagesMoved", 0))
    if "ApproximateNumberOfMessagesToMove" in task:
        result["to_move"] = task["ApproximateNumberOfMessagesToMove"]
    if "MaxNumberOfMessagesPerSecond" in task:
        result["messages_per_second"] = task["MaxNumberOfMessagesPerSecond"]
    if "FailureReason" in task:
        result["failure"] = task["FailureReason"]
    return result


def refuse_while_moving(request: Request, sqs: Any) -> None:
    """Refuse a request while SQS moves the letters of its queue by itself.

    Args:
        request: The request.
        sqs: The client of SQS.

    Raises:
        Refused: A redrive runs already.
    """
    _refuse_second(request.queue, last_task(request.queue, sqs))


def _refuse_second(queue: Queue, task: dict[str, Any]) -> None:
    if task["Status"] in ACTIVE:
        moved = task.get("ApproximateNumberOfMessagesMoved", 0)
        raise Refused(f"A redrive of {queue.name} is running ({moved} moved so far); wait for it or cancel it.")


def _start(request: Request, task: dict[str, Any], sqs: Any) -> Report:
    _refuse_second(request.queue, task)
    sqs.start_message_move_task(
        SourceArn=request.queue.dead_letter_queue_arn,
        # Named, because a worker puts poison here itself and SQS then does not know where a message came from.
        DestinationArn=request.queue.arn,
        MaxNumberOfMessagesPerSecond=request.messages_per_second,
    )
    return Report(queue=request.queue.name, status="RUNNING", moved=0, messages_per_second=request.messages_per_second)


def _cancel(queue: Queue, task: dict[str, Any], sqs: Any) -> Report:
    if task["Status"] != "RUNNING":
        raise Refused(
            f"No redrive of {queue.name} is running (the last is {task['Status']}); there is nothing to cancel."
        )
    answer = sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])
    return report(queue, {**task, "Status": "CANCELLING", **answer})

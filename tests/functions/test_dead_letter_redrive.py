"""Redriving dead letters: what is asked, what SQS is told, and what is answered."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fargate_workers_redrive import handler as edge
from fargate_workers_redrive.request import Queue, Refused, Request, parse

SQS = "arn:aws:sqs:eu-west-1:111111111111"
ORDERS = Queue("Orders", f"{SQS}:orders", f"{SQS}:orders-dead")
IMPORTS = Queue("Imports", f"{SQS}:imports", f"{SQS}:imports-dead")
BOTH = {"Orders": ORDERS, "Imports": IMPORTS}
ONE = {"Orders": ORDERS}
LAST = {"SourceArn": ORDERS.dead_letter_queue_arn, "MaxResults": 1}


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """SQS, answering as each test says; every answer must be asked for."""
    client = boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(edge, "client", lambda: client)
    monkeypatch.setenv("QUEUES", json.dumps({"Orders": ["orders", "orders-dead"]}))
    monkeypatch.setenv("QUEUE_ARN_PREFIX", f"{SQS}:")
    monkeypatch.setenv("MESSAGES_PER_SECOND", "5")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def last_task_is(sqs: Stubber, **task: Any) -> None:
    sqs.add_response("list_message_move_tasks", {"Results": [task] if task else []}, LAST)


def call(**event: Any) -> Any:
    return edge.handler(event, None)


def test_a_redrive_starts_at_the_default_rate_towards_the_queue_the_letters_came_from(sqs: Stubber) -> None:
    last_task_is(sqs)
    sqs.add_response(
        "start_message_move_task",
        {"TaskHandle": "handle"},
        {
            "SourceArn": ORDERS.dead_letter_queue_arn,
            "DestinationArn": ORDERS.arn,
            "MaxNumberOfMessagesPerSecond": 5,
        },
    )

    assert call(action="start") == {"queue": "Orders", "status": "RUNNING", "moved": 0, "messages_per_second": 5}


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_redrive_starts_again_after_the_last_has_ended_at_the_rate_asked_for(sqs: Stubber, status: str) -> None:
    last_task_is(sqs, Status=status)
    sqs.add_response("start_message_move_task", {"TaskHandle": "handle"})

    assert call(action="start", queue="Orders", messages_per_second=50)["messages_per_second"] == 50


@pytest.mark.parametrize("status", ["RUNNING", "CANCELLING"])
def test_a_second_redrive_of_a_queue_is_refused(sqs: Stubber, status: str) -> None:
    last_task_is(sqs, Status=status, ApproximateNumberOfMessagesMoved=40)

    assert call(action="start") == {
        "refused": "A redrive of Orders is running (40 moved so far); wait for it or cancel it."
    }


def test_the_status_tells_how_far_the_last_redrive_is(sqs: Stubber) -> None:
    last_task_is(
        sqs,
        Status="RUNNING",
        TaskHandle="handle",
        ApproximateNumberOfMessagesMoved=40,
        ApproximateNumberOfMessagesToMove=300,
        MaxNumberOfMessagesPerSecond=5,
    )

    assert call(action="status") == {
        "queue": "Orders",
        "status": "RUNNING",
        "moved": 40,
        "to_move": 300,
        "messages_per_second": 5,
    }


def test_the_status_says_why_a_redrive_failed(sqs: Stubber) -> None:
    last_task_is(sqs, Status="FAILED", FailureReason="AccessDenied")

    assert call(action="status") == {"queue": "Orders", "status": "FAILED", "moved": 0, "failure": "AccessDenied"}


def test_the_status_of_a_queue_that_was_never_redriven_is_none(sqs: Stubber) -> None:
    last_task_is(sqs)

    assert call(action="status") == {"queue": "Orders", "status": "NONE", "moved": 0}


def test_a_running_redrive_can_be_cancelled(sqs: Stubber) -> None:
    last_task_is(sqs, Status="RUNNING", TaskHandle="handle", ApproximateNumberOfMessagesMoved=40)
    sqs.add_response("cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 41}, {"TaskHandle": "handle"})

    assert call(action="cancel") == {"queue": "Orders", "status": "CANCELLING", "moved": 41}


@pytest.mark.parametrize("task", [{}, {"Status": "COMPLETED"}, {"Status": "CANCELLING"}])
def test_there_is_nothing_to_cancel_when_nothing_runs(sqs: Stubber, task: dict[str, Any]) -> None:
    last_task_is(sqs, **task)

    refusal = call(action="cancel")["refused"]
    assert refusal.startswith("No redrive of Orders is running")
    assert refusal.endswith("there is nothing to cancel.")


def test_a_slip_of_the_keyboard_is_answered_and_asks_nothing_of_sqs(sqs: Stubber) -> None:
    assert call(action="begin") == {"refused": "The action 'begin' is unknown; use one of start, status, cancel."}


def test_an_error_of_aws_is_raised_so_that_the_alarm_sees_it(sqs: Stubber) -> None:
    sqs.add_client_error("list_message_move_tasks", "AccessDenied")

    with pytest.raises(Exception, match="AccessDenied"):
        call(action="status")


def test_a_lone_queue_needs_no_name() -> None:
    assert parse({"action": "start"}, ONE, messages_per_second=5) == Request("start", ORDERS, 5)


def test_a_request_may_name_its_queue_and_its_rate() -> None:
    event = {"action": "start", "queue": "Imports", "messages_per_second": 500}

    assert parse(event, BOTH, messages_per_second=5) == Request("start", IMPORTS, 500)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ("start", "The event is no object"),
        ({}, "The action None is unknown"),
        ({"action": "start"}, "The event names no queue; add one of Imports, Orders."),
        ({"action": "start", "queue": "orders"}, "The queue 'orders' is unknown; use one of Imports, Orders."),
        ({"action": "start", "queue": 7}, "The queue 7 is unknown"),
        ({"action": "start", "queue": "Orders", "rate": 5}, "The event has an unknown field 'rate'"),
        (
            {"action": "start", "queue": "Orders", "messages_per_second": 0},
            "messages_per_second is 0; use a whole",
        ),
        ({"action": "start", "queue": "Orders", "messages_per_second": 501}, "from 1 to 500"),
        ({"action": "start", "queue": "Orders", "messages_per_second": "5"}, "messages_per_second is '5'"),
        ({"action": "start", "queue": "Orders", "messages_per_second": True}, "messages_per_second is True"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_sentence(event: object, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(event, BOTH, messages_per_second=5)

    assert sentence in str(refused.value)
    assert str(refused.value).endswith(".")

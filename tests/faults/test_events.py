"""EventBridge delivers at least once, late and in any order; an event's id and its version tell what is what."""

import itertools
import json
import random
from datetime import timedelta
from typing import Any

import pytest

from fargate_workers_runtime import Message
from fargate_workers_runtime.testing import MemoryWorker


def state_change(version: int, status: str, *, task: str = "t-1") -> dict[str, Any]:
    """An ECS task's state change: `version` grows with every change of the task.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
    """
    return {
        "id": f"{task}-{version}",
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "time": "2026-01-31T12:00:00Z",
        "detail": {"taskArn": task, "version": version, "lastStatus": status},
    }


class TaskStates:
    """The last status of each task: what a handler keeps when only the newest counts."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.statuses: dict[str, str] = {}
        self.seen: list[str] = []

    def handle(self, message: Message) -> None:
        task, version = message.body["taskArn"], message.body["version"]
        self.seen.append(message.idempotency_key)
        # In a table: ConditionExpression="attribute_not_exists(version) OR version < :version".
        if version > self.versions.get(task, -1):
            self.versions[task], self.statuses[task] = version, message.body["lastStatus"]


def event_id(message: Message) -> str:
    """The idempotency key: EventBridge repeats an event with the same id."""
    return message.attributes["id"]


LIFE = [state_change(n, status) for n, status in enumerate(["PENDING", "RUNNING", "STOPPING", "STOPPED"], start=1)]


@pytest.mark.fault(36)
def test_an_event_delivered_twice_has_one_effect_even_a_day_later() -> None:
    states = TaskStates()
    worker = MemoryWorker(states.handle, idempotency_key=event_id)
    worker.send(LIFE[0])
    worker.run()
    worker.wait(timedelta(hours=24))
    worker.send(LIFE[0])
    worker.send(LIFE[1])
    worker.settle()
    assert states.seen == ["t-1-1", "t-1-2"]


@pytest.mark.fault(36)
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_the_newest_version_wins_in_whatever_order_events_come(order: tuple[int, ...]) -> None:
    states = TaskStates()
    worker = MemoryWorker(states.handle, idempotency_key=event_id)
    for index in order:
        worker.send(LIFE[index])
    worker.settle()
    assert states.statuses == {"t-1": "STOPPED"}


@pytest.mark.fault(36)
def test_a_corpus_replayed_with_duplicates_in_disorder_and_through_a_topic_ends_in_the_same_state() -> None:
    corpus = [
        state_change(version, f"status {version}", task=f"t-{task}") for task in range(10) for version in range(1, 6)
    ]
    replay = corpus * 3
    random.Random(36).shuffle(replay)
    states = TaskStates()
    worker = MemoryWorker(states.handle, idempotency_key=event_id, concurrency=1)
    for number, event in enumerate(replay):
        topic = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:states", "Message": json.dumps(event)}
        worker.send(topic if number % 2 else event)
    worker.settle()
    assert states.statuses == {f"t-{task}": "status 5" for task in range(10)}
    assert len(states.seen) == len(set(states.seen)) == len(corpus)
    assert worker.dead_letters == []

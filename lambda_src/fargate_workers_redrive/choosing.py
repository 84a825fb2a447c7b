"""The redrive of chosen dead letters: each is sent back, and deleted when it was sent.

What SQS moves by itself it moves whole. This is bounded by the function's time; what it did not reach is left to the
next call, for nothing is remembered, and nothing needs to be: a letter is either there or sent.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from fargate_workers_redrive.letters import DeadLetter, dead_letter, sent_again
from fargate_workers_redrive.request import Queue
from fargate_workers_redrive.where import Filter

_BATCH = 10
#: Receives without a letter after which there is none, as far as can be seen.
_IN_VAIN = 2
#: Seconds before the end of the function's time at which it ends by itself, and releases what it leased.
SPARE_SECONDS = 8.0


class Chosen(TypedDict):
    """What a redrive of chosen letters came to.

    Attributes:
        queue: The name of the queue's worker.
        status: COMPLETED, or INCOMPLETE where time or order left letters unseen: call again.
        moved: Letters that were sent back.
        left: Letters that were seen and not chosen.
        newer: Letters that have died since it began, which are not touched.
    """

    queue: str
    status: str
    moved: int
    left: int
    newer: NotRequired[int]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The time.

    Args:
        now: Seconds since 1970.
        sleep: Waits for seconds.
        left: Seconds that the function has left.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    left: Callable[[], float]


def redrive_chosen(queue: Queue, where: Filter, *, messages_per_second: int, sqs: Any, clock: Clock) -> Chosen:
    """Send the chosen dead letters of a queue back, in the order in which SQS hands them out.

    Of a FIFO group SQS hands out ten in their order, and no more of it while one of them stays.

    Args:
        queue: The queue.
        where: The filter that chooses.
        messages_per_second: The rate.
        sqs: The client of SQS.
        clock: The time.
    """
    dead, origin = (_url(arn, sqs) for arn in (queue.dead_letter_queue_arn, queue.arn))
    began, result = clock.now(), Chosen(queue=queue.name, status="INCOMPLETE", moved=0, left=0)
    newer = 0
    with _leasing(dead, sqs, clock) as (letters, leased):
        for letter in letters:
            if letter.died_at > began:
                newer += 1
            elif not where.matches(letter, now=clock.now()):
                result["left"] += 1
            else:
                sqs.send_message(**sent_again(letter, queue_url=origin, now=clock.now()))
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter.handle)
                del leased[letter.id]
                result["moved"] += 1
                clock.sleep(1 / messages_per_second)
            if clock.left() < SPARE_SECONDS:
                break
        else:
            result["status"] = "COMPLETED"
    # Of a FIFO group more may wait behind one that stays, and what was sent has made room for them.
    if dead.endswith(".fifo") and result["left"] and result["moved"]:
        result["status"] = "INCOMPLETE"
    if newer:
        result["newer"] = newer
    return result


@contextmanager
def _leasing(url: str, sqs: Any, clock: Clock) -> Generator[tuple[Generator[DeadLetter], dict[str, str]]]:
    """The letters of a dead-letter queue, and the handles of those that are released at the end, by their ids."""
    leased: dict[str, str] = {}
    try:
        yield _letters(url, sqs, clock, leased), leased
    finally:
        handles = list(leased.values())
        for begin in range(0, len(handles), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[begin : begin + _BATCH])
            ]
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _letters(url: str, sqs: Any, clock: Clock, leased: dict[str, str]) -> Generator[DeadLetter]:
    known: set[str] = set()
    in_vain = 0
    while in_vain < _IN_VAIN and clock.left() >= SPARE_SECONDS:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_BATCH,
            # For as long as this call may last: a killed function's letters come back by themselves.
            VisibilityTimeout=int(clock.left()) + 1,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        some = [dead_letter(message) for message in answer.get("Messages", [])]
        leased.update((letter.id, letter.handle) for letter in some)
        new = [letter for letter in some if letter.id not in known]
        known.update(letter.id for letter in new)
        in_vain = 0 if new else in_vain + 1
        yield from new


def _url(arn: str, sqs: Any) -> str:
    *_, account, name = arn.split(":")
    return f"{sqs.meta.endpoint_url.rstrip('/')}/{account}/{name}"

"""The queues keep SQS's rules, each of which names where it is written.

API is https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_, GUIDE is
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.sqs import (
    DEDUPLICATION_SECONDS,
    LONGEST_VISIBILITY,
    MAX_BYTES,
    FifoQueue,
    Queue,
    RefusedError,
    StandardQueue,
    check_batch,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Certain(random.Random):
    """Leaves nothing to chance: the most of everything, in order."""

    def random(self) -> float:
        return 0.5

    def randint(self, a: int, b: int) -> int:
        return b


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standard(clock: Clock) -> StandardQueue:
    letters = StandardQueue("letters", clock=clock)
    return StandardQueue(
        "orders", visibility_timeout=30, dead_letter_queue=letters, max_receive_count=3, clock=clock, chance=Certain()
    )


@pytest.fixture
def fifo(clock: Clock) -> FifoQueue:
    letters = FifoQueue("letters.fifo", clock=clock)
    return FifoQueue(
        "orders.fifo",
        visibility_timeout=30,
        dead_letter_queue=letters,
        max_receive_count=3,
        clock=clock,
        chance=Certain(),
    )


def put(queue: Queue, *names: str) -> None:
    """Send messages: `a1` is one of group `a`."""
    for name in names:
        queue.send(name, group=name[0], deduplication_id=name)


def got(queue: Queue, limit: int = 10, **options: Any) -> list[str]:
    return [message.body for message in queue.receive(limit, **options)]


def receipts(queue: Queue, limit: int = 10) -> list[str]:
    return [str(message.receipt) for message in queue.receive(limit)]


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        do()
    return caught.value.code


# Both kinds


@pytest.fixture(params=["standard", "fifo"])
def queue(request: pytest.FixtureRequest) -> Queue:
    found: Queue = request.getfixturevalue(request.param)
    return found


def test_a_message_is_hidden_for_the_visibility_timeout_and_then_comes_back(queue: Queue, clock: Clock) -> None:
    """GUIDE sqs-visibility-timeout.html."""
    put(queue, "a1")
    assert got(queue) == ["a1"]
    clock.now += 29.9
    assert got(queue) == []
    clock.now += 0.1
    assert got(queue) == ["a1"]


def test_a_receive_may_ask_for_another_visibility(queue: Queue, clock: Clock) -> None:
    """API ReceiveMessage, VisibilityTimeout."""
    put(queue, "a1")
    assert got(queue, visibility=2) == ["a1"]
    clock.now += 2
    assert got(queue, visibility=0) == ["a1"]
    assert got(queue) == ["a1"]


def test_a_receive_brings_ten_at_most_and_is_refused_otherwise(queue: Queue) -> None:
    """API ReceiveMessage, MaxNumberOfMessages."""
    put(queue, *(f"{letter}1" for letter in "abcdefghijkl"))
    assert len(got(queue, 10)) == 10
    assert refused(lambda: queue.receive(11)) == "InvalidParameterValue"
    assert refused(lambda: queue.receive(0)) == "InvalidParameterValue"


def test_a_visibility_counts_from_the_change_and_zero_shows_at_once(queue: Queue, clock: Clock) -> None:
    """API ChangeMessageVisibility: "the 10 seconds begin to count from the time that you make the call"."""
    put(queue, "a1")
    [receipt] = receipts(queue)
    clock.now += 15
    queue.set_visibility(receipt, 10)
    clock.now += 9.9
    assert got(queue) == []
    clock.now += 0.1
    [receipt] = receipts(queue)
    queue.set_visibility(receipt, 0)
    assert got(queue) == ["a1"]


def test_each_change_of_visibility_replaces_the_one_before(queue: Queue, clock: Clock) -> None:
    """API ChangeMessageVisibility: "the timeout value is applied immediately"."""
    put(queue, "a1")
    [receipt] = receipts(queue)
    queue.set_visibility(receipt, 5)
    queue.set_visibility(receipt, 100)
    clock.now += 99
    assert got(queue) == []
    clock.now += 1
    assert got(queue) == ["a1"]


def test_a_visibility_reaches_twelve_hours_from_the_receive_at_most(queue: Queue, clock: Clock) -> None:
    """API ChangeMessageVisibility: "SQS doesn't automatically recalculate"; GUIDE sqs-visibility-timeout.html."""
    put(queue, "a1")
    [receipt] = receipts(queue)
    assert refused(lambda: queue.set_visibility(receipt, LONGEST_VISIBILITY + 1)) == "InvalidParameterValue"
    clock.now += 10
    assert refused(lambda: queue.set_visibility(receipt, LONGEST_VISIBILITY - 9)) == "InvalidParameterValue"
    queue.set_visibility(receipt, LONGEST_VISIBILITY - 10)
    clock.now += LONGEST_VISIBILITY - 10
    assert got(queue) == ["a1"]


def test_the_visibility_of_a_message_that_is_not_in_flight_cannot_change(queue: Queue, clock: Clock) -> None:
    """API ChangeMessageVisibility, errors: MessageNotInflight, ReceiptHandleIsInvalid."""
    put(queue, "a1")
    [receipt] = receipts(queue)
    clock.now += 30
    assert refused(lambda: queue.set_visibility(receipt, 10)) == "MessageNotInflight"
    [newer] = receipts(queue)
    assert refused(lambda: queue.set_visibility(receipt, 10)) == "ReceiptHandleIsInvalid"
    queue.delete(newer)
    assert refused(lambda: queue.set_visibility(newer, 10)) == "ReceiptHandleIsInvalid"


def test_every_delivery_has_its_own_receipt_and_is_counted(queue: Queue, clock: Clock) -> None:
    """API DeleteMessage: "a different ReceiptHandle each time"; ReceiveMessage, ApproximateReceiveCount."""
    put(queue, "a1")
    [first] = queue.receive(10)
    receipt = first.receipt
    clock.now += 30
    [second] = queue.receive(10)
    assert second.receipt != receipt
    assert len(second.deliveries) == 2


def test_a_message_moves_when_it_would_be_delivered_once_too_often(queue: Queue, clock: Clock) -> None:
    """GUIDE sqs-dead-letter-queues.html: "when the ReceiveCount for a message exceeds the maxReceiveCount"."""
    put(queue, "a1")
    for _ in range(3):
        assert got(queue) == ["a1"]
        assert queue.dead_letter_queue
        assert queue.dead_letter_queue.counts()["visible"] == 0
        clock.now += 30
    assert got(queue) == []
    [letter] = queue.dead_letter_queue.receive(10)
    assert (letter.body, letter.group, len(letter.deliveries)) == ("a1", "a", 1)
    [original] = queue.messages.values()
    assert (letter.id, len(original.deliveries)) == (original.id, 3)


def test_a_message_has_a_mebibyte_and_a_batch_no_more(queue: Queue) -> None:
    """API SendMessage, MessageBody; SendMessageBatch: "both 1 MiB"."""
    attribute = {"name": {"DataType": "String", "StringValue": "value"}}
    body = "x" * (MAX_BYTES - len("nameStringvalue"))
    queue.send(body, attributes=attribute, group="a", deduplication_id="1")
    too_large = lambda: queue.send(f"{body}x", attributes=attribute, group="a", deduplication_id="2")  # noqa: E731
    assert refused(too_large) == "InvalidParameterValue"
    assert refused(lambda: queue.send("", group="a", deduplication_id="3")) == "InvalidParameterValue"
    half = "x" * (MAX_BYTES // 2)
    check_batch([{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half}])
    halves = [{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": f"{half}x"}]
    assert refused(lambda: check_batch(halves)) == "BatchRequestTooLong"


def test_a_body_has_only_the_characters_that_xml_allows(queue: Queue) -> None:
    """API SendMessage: "rejects the message and returns an InvalidMessageContents error"."""
    queue.send("tab\t, line\n, \u20ac, \U0001f600", group="a", deduplication_id="1")
    for character in ("\x00", "\x0b", "\ufffe", "\ud800"):
        with pytest.raises((RefusedError, UnicodeEncodeError)):
            queue.send(f"bad {character}", group="a", deduplication_id="2")


def test_a_message_has_ten_attributes_at_most_each_with_a_value(queue: Queue) -> None:
    """GUIDE sqs-message-metadata.html: "up to 10"; "Name, type, value ... must not be empty or null"."""
    value = {"DataType": "String", "StringValue": "v"}
    queue.send("a", attributes={str(number): value for number in range(10)}, group="a", deduplication_id="1")
    eleven = {str(number): value for number in range(11)}
    assert (
        refused(lambda: queue.send("a", attributes=eleven, group="a", deduplication_id="2")) == "InvalidParameterValue"
    )
    empty = {"name": {"DataType": "String", "StringValue": ""}}
    assert (
        refused(lambda: queue.send("a", attributes=empty, group="a", deduplication_id="3")) == "InvalidParameterValue"
    )


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["1", "1"], "BatchEntryIdsNotDistinct"),
        (["a b"], "InvalidBatchEntryId"),
        (["x" * 81], "InvalidBatchEntryId"),
    ],
)
def test_a_batch_has_ten_entries_of_distinct_valid_ids(ids: list[str], code: str) -> None:
    """API DeleteMessageBatch, errors and limits."""
    assert refused(lambda: check_batch([{"Id": each} for each in ids])) == code
    check_batch([{"Id": str(number)} for number in range(10)])


# Standard


def test_an_old_receipt_deletes_nothing_and_is_not_refused(standard: StandardQueue, clock: Clock) -> None:
    """API DeleteMessage: "the request will succeed, but the message might not be deleted"."""
    put(standard, "a1")
    [old] = receipts(standard)
    clock.now += 30
    [new] = receipts(standard)
    standard.delete(old)
    assert standard.counts()["hidden"] == 1
    standard.delete(new)
    assert standard.counts() == {"visible": 0, "hidden": 0, "deleted": 1, "sent": 1}


def test_the_newest_receipt_deletes_even_when_the_message_shows_again(standard: StandardQueue, clock: Clock) -> None:
    """API DeleteMessage."""
    put(standard, "a1")
    [receipt] = receipts(standard)
    clock.now += 31
    standard.counts()
    standard.delete(receipt)
    assert got(standard) == []


def test_a_deleted_message_may_come_again(standard: StandardQueue, clock: Clock) -> None:
    """API DeleteMessage: "it is possible to receive a message even after you delete it"."""
    standard.again = 1000
    put(standard, "a1")
    [receipt] = receipts(standard)
    standard.delete(receipt)
    clock.now += 2
    assert got(standard) == ["a1"]
    assert [message.again for message in standard.messages.values()] == [1]


def test_order_is_a_coincidence_and_a_receive_may_bring_less(clock: Clock) -> None:
    """API ReceiveMessage: "a weighted random set of machines is sampled"; "fewer messages might be returned"."""
    queue = StandardQueue("orders", clock=clock, chance=random.Random(1))
    put(queue, *(f"a{number:03}" for number in range(300)))
    batches = [got(queue) for _ in range(300)]
    everything = [body for batch in batches for body in batch]
    assert sorted(everything) == [f"a{number:03}" for number in range(300)]
    assert everything != sorted(everything)
    assert {len(batch) for batch in batches} > {1, 5, 10}


def test_messages_of_a_group_do_not_wait_for_each_other_in_a_standard_queue(standard: StandardQueue) -> None:
    """API SendMessage, MessageGroupId: "messages with the same MessageGroupId can be processed in parallel"."""
    put(standard, "a1", "a2")
    assert got(standard, 1) + got(standard, 1) == ["a1", "a2"]


# FIFO


def test_a_batch_has_as_many_of_a_group_as_possible_in_order_then_others(fifo: FifoQueue) -> None:
    """GUIDE FIFO-queues-understanding-logic.html, batch retrieval."""
    put(fifo, "a1", "b1", "a2", "b2", "a3")
    assert got(fifo, 4) == ["a1", "a2", "a3", "b1"]


def test_a_group_is_locked_while_any_of_its_messages_is_in_flight(fifo: FifoQueue) -> None:
    """GUIDE FIFO-queues-understanding-logic.html: no more of a group "unless ... deleted, or ... become visible"."""
    put(fifo, "a1", "a2", "a3", "b1")
    first, second = receipts(fifo, 2)
    assert got(fifo) == ["b1"]
    fifo.delete(first)
    assert got(fifo) == []
    fifo.delete(second)
    assert got(fifo) == ["a3"]


def test_what_comes_back_comes_before_what_was_sent_later(fifo: FifoQueue, clock: Clock) -> None:
    """GUIDE FIFO-queues-understanding-logic.html, FIFO order."""
    put(fifo, "a1", "a2", "a3")
    first, second = receipts(fifo, 2)
    fifo.set_visibility(second, 0)
    assert got(fifo) == []  # the first is still in flight
    fifo.set_visibility(first, 5)
    clock.now += 4.9
    assert got(fifo) == []
    clock.now += 0.1
    assert got(fifo) == ["a1", "a2", "a3"]


def test_a_message_sent_to_a_locked_group_waits(fifo: FifoQueue) -> None:
    """GUIDE FIFO-queues-understanding-logic.html."""
    put(fifo, "a1")
    [receipt] = receipts(fifo)
    put(fifo, "a2")
    assert got(fifo) == []
    fifo.delete(receipt)
    assert got(fifo) == ["a2"]


def test_an_expired_receipt_is_refused(fifo: FifoQueue, clock: Clock) -> None:
    """API ReceiveMessage, ReceiveRequestAttemptId: "tries to delete the processed messages, the action fails with an
    error"; seen on AWS: https://github.com/localstack/localstack/pull/12442.
    """
    put(fifo, "a1")
    [receipt] = receipts(fifo)
    clock.now += 30
    assert refused(lambda: fifo.delete(receipt)) == "ReceiptHandleIsInvalid"
    [newer] = receipts(fifo)
    assert refused(lambda: fifo.delete(receipt)) == "ReceiptHandleIsInvalid"
    fifo.delete(newer)
    fifo.delete(newer)  # once more does no harm
    assert fifo.counts()["deleted"] == 1


def test_the_head_moves_and_the_group_goes_on_in_the_same_receive(fifo: FifoQueue, clock: Clock) -> None:
    """GUIDE sqs-dead-letter-queues.html: the dead-letter queue of a FIFO queue is FIFO, and keeps the group."""
    put(fifo, "a1")
    for _ in range(3):
        assert got(fifo) == ["a1"]
        clock.now += 30
    put(fifo, "a2", "a3")
    assert got(fifo) == ["a2", "a3"]
    assert fifo.dead_letter_queue
    assert got(fifo.dead_letter_queue) == ["a1"]


def test_messages_move_in_the_order_of_their_group(fifo: FifoQueue, clock: Clock) -> None:
    """GUIDE sqs-dead-letter-queues.html."""
    put(fifo, "a1", "a2", "a3")
    for _ in range(3):
        assert got(fifo) == ["a1", "a2", "a3"]
        clock.now += 30
    assert got(fifo) == []
    assert fifo.dead_letter_queue
    assert got(fifo.dead_letter_queue) == ["a1", "a2", "a3"]


def test_a_deduplication_id_is_taken_once_in_five_minutes(fifo: FifoQueue, clock: Clock) -> None:
    """API SendMessage, MessageDeduplicationId: "accepted successfully but aren't delivered"; also once deleted."""
    first = fifo.send("a1", group="a", deduplication_id="1")
    [receipt] = receipts(fifo)
    fifo.delete(receipt)
    clock.now += DEDUPLICATION_SECONDS - 1
    assert fifo.send("other", group="b", deduplication_id="1").id == first.id
    assert got(fifo) == []
    clock.now += 1
    assert fifo.send("a1", group="a", deduplication_id="1").id != first.id
    assert got(fifo) == ["a1"]


def test_a_message_needs_a_group_and_a_deduplication_id(fifo: FifoQueue) -> None:
    """API SendMessage, MessageGroupId: "the action fails"; MessageDeduplicationId: "the action fails with an error"."""
    assert refused(lambda: fifo.send("a", deduplication_id="1")) == "MissingParameter"
    assert refused(lambda: fifo.send("a", group="a")) == "InvalidParameterValue"


def test_a_receive_that_is_repeated_brings_the_same_and_hides_it_anew(fifo: FifoQueue, clock: Clock) -> None:
    """API ReceiveMessage, ReceiveRequestAttemptId: "the same messages and receipt handles"; "resets the visibility"."""
    put(fifo, "a1", "a2", "b1")
    first = [message.receipt for message in fifo.receive(2, attempt_id="try")]
    clock.now += 20
    again = fifo.receive(2, attempt_id="try")
    assert [message.receipt for message in again] == first
    assert [len(message.deliveries) for message in again] == [1, 1]
    clock.now += 20
    assert got(fifo, attempt_id="other") == ["b1"]  # 40 s after the first receive, and still hidden
    clock.now += 10
    assert got(fifo) == ["a1", "a2"]


def test_a_receive_is_not_repeated_once_its_messages_were_touched(fifo: FifoQueue, clock: Clock) -> None:
    """API ReceiveMessage, ReceiveRequestAttemptId: "if none of the messages have been modified"; five minutes."""
    put(fifo, "a1", "a2")
    first, _ = fifo.receive(2, attempt_id="try")
    fifo.set_visibility(str(first.receipt), 60)
    assert got(fifo, attempt_id="try") == []
    clock.now += 61
    assert got(fifo, attempt_id="try") == ["a1", "a2"]
    fifo.delete(str(first.receipt))
    assert got(fifo, attempt_id="try") == []
    clock.now += DEDUPLICATION_SECONDS + 1
    assert got(fifo, attempt_id="try") == ["a2"]

"""A list's broker: order, ids, fences, messages of other producers, and the delivery that may lose some."""

import json
from collections.abc import Callable

import pytest
import redis

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery
from fargate_workers_runtime.brokers.redis_lists import ListBroker, UnleasedListBroker
from tests.runtime.redis_brokers.conftest import LEASE, List, Take, bodies


def letter(delivery: Delivery) -> DeadLetter:
    return DeadLetter(delivery=delivery, reason="not JSON", detail="line 1")


def test_what_was_pushed_first_comes_first(queue: List, take: Take) -> None:
    queue.send("a", "b", "c")
    assert bodies(take(queue.broker())) == ["a", "b", "c"]


def test_what_a_lease_has_ended_for_comes_before_what_is_new(queue: List, take: Take) -> None:
    queue.send("a")
    broker = queue.broker()
    take(broker)
    queue.send("b")
    queue.advance(LEASE)
    assert bodies(take(broker)) == ["a", "b"]


def test_nothing_is_left_of_messages_that_have_ended(queue: List, take: Take) -> None:
    queue.send("a", "b", "c")
    broker = queue.broker()
    first, second, third = take(broker)
    broker.acknowledge([first])
    broker.dead_letter([letter(second)])
    broker.release([(third, 0)])
    broker.acknowledge(take(broker))
    assert queue.keys == set()


# Ids


def test_equal_bodies_are_two_messages(queue: List, take: Take) -> None:
    queue.send("a", "a")
    first, second = take(queue.broker())
    assert first.id != second.id


def test_equal_bodies_of_another_producer_are_two_messages(queue: List, take: Take) -> None:
    queue.client.lpush(queue.name, "a", "a")
    broker = queue.broker()
    first, second = take(broker)
    assert first.id != second.id
    broker.acknowledge([first])
    queue.advance(LEASE)
    (again,) = take(broker)
    assert (again.id, again.text, again.receive_count) == (second.id, "a", 2)


def test_one_element_pushed_twice_is_two_messages(queue: List, take: Take) -> None:
    queue.send("a")
    (element,) = queue.client.lrange(queue.name, 0, -1)
    queue.client.lpush(queue.name, element)
    broker = queue.broker()
    first, second = take(broker)
    assert first.id != second.id
    assert broker.acknowledge([first, second]) == []
    assert queue.keys <= {f"{{{queue.name}}}:counts".encode()}  # the counter of made ids stays


@pytest.mark.parametrize("body", ["abc|def", "|", "0123456789abcdef0123456789abcdef", "{" * 40, ""])
def test_a_body_of_another_producer_is_taken_as_it_is(queue: List, take: Take, body: str) -> None:
    queue.client.lpush(queue.name, body)
    assert bodies(take(queue.broker())) == [body]


def test_bytes_that_are_no_text_are_poison_to_the_gate_and_whole_in_the_dead_letter(queue: List, take: Take) -> None:
    queue.client.lpush(queue.name, b"\xff\xfe")
    broker = queue.broker()
    (taken,) = take(broker)
    with pytest.raises(UnicodeEncodeError):
        taken.text.encode()
    broker.dead_letter([letter(taken)])
    assert b"\xff\xfe" in queue.letters[0]


def test_the_producers_id_shows_when_a_message_was_sent(queue: List, take: Take) -> None:
    queue.client.lpush(queue.name, "foreign")
    queue.send("ours")
    foreign, ours = take(queue.broker())
    assert foreign.sent_at is None
    assert ours.sent_at is not None
    age = queue.broker().lag().oldest_age
    assert age is not None
    assert age < 60


def test_the_age_of_the_oldest_is_unknown_where_nothing_shows_it(queue: List) -> None:
    queue.client.lpush(queue.name, "foreign")
    assert queue.broker().lag().oldest_age is None


# Fences

Ending = Callable[[ListBroker, Delivery], list[object]]

ENDINGS: dict[str, Ending] = {
    "acknowledge": lambda broker, each: broker.acknowledge([each]),  # type: ignore[dict-item]
    "release": lambda broker, each: broker.release([(each, 0)]),  # type: ignore[dict-item]
    "extend": lambda broker, each: broker.extend([each], LEASE),  # type: ignore[dict-item]
    "dead_letter": lambda broker, each: broker.dead_letter([letter(each)]),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("next_owner", ["another worker", "the same worker"])
def test_a_former_owner_ends_nothing(queue: List, take: Take, ending: str, next_owner: str) -> None:
    queue.send("a")
    first = queue.broker()
    second = first if next_owner == "the same worker" else queue.broker()
    (old,) = take(first)
    queue.advance(LEASE)
    (new,) = take(second)
    (failure,) = ENDINGS[ending](first, old)
    assert failure.permanent  # type: ignore[attr-defined]
    assert queue.letters == []
    assert second.acknowledge([new]) == []


@pytest.mark.parametrize("ending", ["acknowledge", "release", "dead_letter"])
def test_an_ending_whose_answer_was_lost_may_be_asked_for_again(queue: List, take: Take, ending: str) -> None:
    queue.send("a")
    broker = queue.broker()
    (taken,) = take(broker)
    assert ENDINGS[ending](broker, taken) == []
    assert ENDINGS[ending](broker, taken) == []
    assert len(queue.letters) == (ending == "dead_letter")


# Dead letters


def test_a_dead_letter_says_why_and_how_often(queue: List, take: Take) -> None:
    (sent,) = queue.send("{")
    broker = queue.broker()
    broker.dead_letter([letter(each) for each in take(broker)])
    assert [json.loads(each) for each in queue.letters] == [
        {
            "body": "{",
            "dlq.reason": "not JSON",
            "dlq.error": "line 1",
            "dlq.source": queue.name,
            "dlq.receiveCount": "1",
            "dlq.originalMessageId": sent,
        }
    ]


def test_a_message_that_nobody_ever_answers_is_dead_lettered_with_its_count(queue: List, take: Take) -> None:
    queue.send("a", "b")
    broker = queue.broker(max_receive_count=2)
    for _ in range(2):
        assert len(take(broker)) == 2
        queue.advance(LEASE)
    assert take(broker) == []
    reasons = [json.loads(each)["dlq.reason"] for each in queue.letters]
    assert reasons == ["received 2 times, and never answered"] * 2
    assert queue.keys == set()


# At most once


@pytest.fixture
def unleased(queue: List) -> UnleasedListBroker:
    return UnleasedListBroker(queue.client, queue.settings)


def test_at_most_once_a_message_is_gone_when_it_is_received(
    queue: List, take: Take, unleased: UnleasedListBroker
) -> None:
    queue.send("a", "b")
    assert bodies(take(unleased)) == ["a", "b"]
    queue.advance(10 * LEASE)
    assert take(unleased) == []
    assert queue.keys == set()


def test_at_most_once_what_is_released_is_delivered_again(
    queue: List, take: Take, unleased: UnleasedListBroker
) -> None:
    queue.send("a")
    queue.client.lpush(queue.name, "foreign")
    first, foreign = take(unleased)
    assert unleased.release([(first, 10), (foreign, 0)]) == []
    (again,) = take(unleased)
    assert (again.id, again.text, again.receive_count) == (foreign.id, "foreign", 2)
    queue.advance(10)
    (again,) = take(unleased)
    assert (again.id, again.text, again.receive_count) == (first.id, "a", 2)


def test_at_most_once_poison_becomes_a_dead_letter(queue: List, take: Take, unleased: UnleasedListBroker) -> None:
    queue.send("{")
    taken = take(unleased)
    assert unleased.extend(taken, LEASE) == []
    assert unleased.dead_letter([letter(each) for each in taken]) == []
    assert unleased.acknowledge(taken) == []
    assert [json.loads(each)["body"] for each in queue.letters] == ["{"]


def test_a_dead_letter_that_cannot_be_written_keeps_nobody_from_receiving(queue: List, take: Take) -> None:
    queue.send("a", "b")
    broker = queue.broker(max_receive_count=1)
    broker.prepare()
    queue.client.set(queue.settings.dead_letters, "not what it was")
    for _ in range(2):
        assert sorted(bodies(take(broker))) == ["a", "b"]  # leases that end at once promise no order
        queue.advance(LEASE)
    (first, _) = take(broker)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        broker.dead_letter([letter(first)])
    queue.client.delete(queue.settings.dead_letters)
    assert broker.dead_letter([letter(first)]) == []
    queue.advance(LEASE)
    assert take(broker) == []
    assert len(queue.letters) == 2

"""A stream's broker: fences, delays, dead letters, entries that were trimmed, several groups, consumers that died."""

import json
from collections.abc import Callable

import pytest
import redis

from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery
from fargate_workers_runtime.brokers.redis_streams import StreamBroker, stream_broker
from tests.runtime.redis_brokers.conftest import LEASE, Stream, Take, bodies
from tests.runtime.redis_brokers.rigs import GROUP


def letter(delivery: Delivery) -> DeadLetter:
    return DeadLetter(delivery=delivery, reason="not JSON", detail="line 1")


def test_a_group_begins_with_what_was_sent_before_it_was_made(stream: Stream, take: Take) -> None:
    stream.send("a", "b")
    assert bodies(take(stream.broker())) == ["a", "b"]


def test_an_entry_that_has_ended_is_deleted_so_that_the_length_is_the_backlog(stream: Stream, take: Take) -> None:
    stream.send("a", "b")
    broker = stream.broker()
    first, _ = take(broker)
    broker.acknowledge([first])
    assert stream.client.xlen(stream.name) == 1


# Fences


Ending = Callable[[StreamBroker, Delivery], list[object]]

ENDINGS: dict[str, Ending] = {
    "acknowledge": lambda broker, each: broker.acknowledge([each]),  # type: ignore[dict-item]
    "release": lambda broker, each: broker.release([(each, 0)]),  # type: ignore[dict-item]
    "extend": lambda broker, each: broker.extend([each], LEASE),  # type: ignore[dict-item]
    "dead_letter": lambda broker, each: broker.dead_letter([letter(each)]),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("next_owner", ["another worker", "the same worker"])
def test_a_former_owner_ends_nothing(stream: Stream, take: Take, ending: str, next_owner: str) -> None:
    stream.send("a")
    first = stream.broker()
    second = first if next_owner == "the same worker" else stream.broker()
    (old,) = take(first)
    stream.advance(LEASE)
    (new,) = take(second)
    (failure,) = ENDINGS[ending](first, old)
    assert failure.permanent  # type: ignore[attr-defined]
    assert stream.letters == []
    assert second.acknowledge([new]) == []
    assert stream.client.xlen(stream.name) == 0


def test_a_former_owner_does_not_end_what_its_next_owner_has_released(stream: Stream, take: Take) -> None:
    stream.send("a")
    first, second = stream.broker(), stream.broker()
    (old,) = take(first)
    stream.advance(LEASE)
    second.release([(take(second)[0], 60)])
    assert [each.permanent for each in first.acknowledge([old])] == [True]
    stream.advance(60)
    assert bodies(take(second)) == ["a"]


@pytest.mark.parametrize("ending", ["acknowledge", "release", "dead_letter"])
def test_an_ending_whose_answer_was_lost_may_be_asked_for_again(stream: Stream, take: Take, ending: str) -> None:
    stream.send("a")
    broker = stream.broker()
    (taken,) = take(broker)
    assert ENDINGS[ending](broker, taken) == []
    assert ENDINGS[ending](broker, taken) == []
    assert len(stream.letters) == (ending == "dead_letter")


def test_what_a_failover_has_forgotten_is_ended_by_the_one_that_has_handled_it(stream: Stream, take: Take) -> None:
    stream.send("a")
    broker = stream.broker()
    (taken,) = take(broker)
    stream.client.xgroup_setid(stream.name, GROUP, "0")  # its delivery did not reach the replica
    stream.client.xack(stream.name, GROUP, taken.id)
    assert broker.acknowledge([taken]) == []
    assert take(broker) == []


def test_a_worker_with_shorter_leases_leaves_the_longer_ones_alone(stream: Stream, take: Take) -> None:
    stream.send("a")
    take(stream.broker(), lease=120)
    stream.advance(60)
    hasty = stream.broker()
    assert take(hasty, lease=30) == []
    stream.advance(60)
    assert bodies(take(hasty, lease=30)) == ["a"]


# Counts and times


def test_the_first_delivery_is_remembered_through_deaths_and_releases(stream: Stream, take: Take) -> None:
    stream.send("a")
    broker = stream.broker()
    take(broker)
    stream.advance(LEASE + 10)
    (second,) = take(broker)
    assert second.since_first == pytest.approx(LEASE + 10, abs=5)
    broker.release([(second, 0)])
    (third,) = take(broker)
    assert third.since_first == pytest.approx(LEASE + 10, abs=5)
    assert third.receive_count == 3


def test_nothing_is_left_of_an_entry_that_was_delivered_often(stream: Stream, take: Take) -> None:
    stream.send("a")
    broker = stream.broker()
    for _ in range(2):
        broker.release([(take(broker)[0], 0)])
        take(broker)
        stream.advance(LEASE)
    broker.acknowledge(take(broker))
    assert not stream.client.exists(stream.later, stream.seen)


def test_an_entry_that_nobody_ever_answers_is_dead_lettered_with_its_count(stream: Stream, take: Take) -> None:
    stream.send("a", "b")
    broker = stream.broker(max_receive_count=2)
    for _ in range(2):
        assert len(take(broker)) == 2
        stream.advance(LEASE)
    assert take(broker) == []
    assert [each[b"dlq.reason"] for each in stream.letters] == [b"received 2 times, and never answered"] * 2
    assert stream.client.xlen(stream.name) == 0


def test_releases_count_too(stream: Stream, take: Take) -> None:
    stream.send("a")
    broker = stream.broker(max_receive_count=1)
    broker.release([(take(broker)[0], 0)])
    assert take(broker) == []
    assert len(stream.letters) == 1


# Dead letters


def test_a_dead_letter_has_all_that_the_message_had_and_where_it_was(stream: Stream, take: Take) -> None:
    sent = stream.producer.send("{", key="o-1", attributes={"trace": "t"})
    broker = stream.broker()
    broker.dead_letter([letter(each) for each in take(broker)])
    assert stream.letters == [
        {
            b"body": b"{",
            b"key": b"o-1",
            b"trace": b"t",
            b"dlq.reason": b"not JSON",
            b"dlq.error": b"line 1",
            b"dlq.source": f"{stream.name} {GROUP}".encode(),
            b"dlq.receiveCount": b"1",
            b"dlq.originalMessageId": sent.encode(),
        }
    ]
    assert (stream.client.xlen(stream.name), stream.pending) == (0, 0)


def test_a_dead_letter_that_is_sent_again_and_dies_again_has_one_reason(stream: Stream, take: Take) -> None:
    stream.send("{")
    broker = stream.broker()
    broker.dead_letter([letter(each) for each in take(broker)])
    stream.client.xadd(stream.name, stream.letters[0])  # type: ignore[arg-type]
    broker.dead_letter([DeadLetter(delivery=each, reason="still not JSON") for each in take(broker)])
    assert [each[b"dlq.reason"] for each in stream.letters] == [b"not JSON", b"still not JSON"]


def test_without_a_dead_letter_stream_there_is_no_guard_and_no_letter(stream: Stream, take: Take) -> None:
    stream.send("a")
    broker = stream.broker(dead_letters="", max_receive_count=1)
    assert not broker.capabilities.dead_letters
    (taken,) = take(broker)
    with pytest.raises(ValueError, match="STREAM_DEAD_LETTERS"):
        broker.dead_letter([letter(taken)])
    broker.release([(taken, 0)])
    assert bodies(take(broker)) == ["a"]


# Payloads


def test_bytes_that_are_no_text_are_poison_to_the_gate_and_whole_in_the_dead_letter(stream: Stream, take: Take) -> None:
    stream.client.xadd(stream.name, {"body": b"\xff\xfe"})
    broker = stream.broker()
    (taken,) = take(broker)
    with pytest.raises(UnicodeEncodeError):
        taken.text.encode()
    broker.dead_letter([letter(taken)])
    assert stream.letters[0][b"body"] == b"\xff\xfe"


def test_an_entry_without_a_body_is_a_payload_as_a_whole(stream: Stream, take: Take) -> None:
    stream.client.xadd(stream.name, {"order_id": "1", "amount": "2"})
    (taken,) = take(stream.broker())
    assert json.loads(taken.text) == {"order_id": "1", "amount": "2"}


def test_a_key_and_attributes_reach_the_handler_and_keep_no_order(stream: Stream, take: Take) -> None:
    stream.producer.send({"order_id": "1"}, key="o-1", attributes={"trace": "t"})
    (taken,) = take(stream.broker())
    assert taken.attributes == {"key": "o-1", "trace": "t"}
    assert taken.group_id is None


def test_an_id_that_its_sender_chose_is_no_time(stream: Stream, take: Take) -> None:
    stream.client.xadd(stream.name, {"body": "a"}, id="5-1")
    stream.send("b")
    first, second = take(stream.broker())
    assert first.sent_at is None
    assert second.sent_at is not None


# Entries that were trimmed


@pytest.fixture
def lost() -> list[int]:
    return []


def test_an_entry_that_was_trimmed_while_it_was_leased_is_counted_and_forgotten(
    stream: Stream, take: Take, lost: list[int]
) -> None:
    stream.send("a", "b")
    broker = stream.broker(trimmed=lost.append)
    take(broker, lease=0)
    stream.client.xtrim(stream.name, maxlen=1, approximate=False)
    assert bodies(take(broker, lease=0)) == ["b"]
    assert (lost, stream.pending) == ([1], 1)


def test_an_entry_that_was_trimmed_while_it_waited_is_counted_and_forgotten(
    stream: Stream, take: Take, lost: list[int]
) -> None:
    stream.send("a")
    broker = stream.broker(trimmed=lost.append)
    broker.release([(take(broker)[0], 5)])
    stream.client.xtrim(stream.name, maxlen=0, approximate=False)
    stream.advance(5)
    assert take(broker) == []
    assert lost == [1]
    assert not stream.client.exists(stream.later, stream.seen)


def test_the_heartbeat_notices_that_its_entry_was_trimmed(stream: Stream, take: Take, lost: list[int]) -> None:
    stream.send("a")
    broker = stream.broker(trimmed=lost.append)
    taken = take(broker)
    stream.client.xtrim(stream.name, maxlen=0, approximate=False)
    assert [(each.permanent, each.code) for each in broker.extend(taken, LEASE)] == [(True, "trimmed")]
    assert lost == [1]


def test_a_trimmed_message_still_becomes_a_dead_letter(stream: Stream, take: Take) -> None:
    stream.send("{")
    broker = stream.broker()
    taken = take(broker)
    stream.client.xtrim(stream.name, maxlen=0, approximate=False)
    broker.dead_letter([letter(each) for each in taken])
    assert [each[b"body"] for each in stream.letters] == [b"{"]


# Several groups


def test_a_second_group_is_refused_where_entries_are_deleted_when_they_have_ended(stream: Stream) -> None:
    stream.broker().prepare()
    with pytest.raises(SettingsError, match="has the groups audit, apply; set STREAM_RETAIN_SECONDS for each"):
        stream.broker(group="audit").prepare()


def test_several_groups_read_the_same_entries_which_go_when_all_have_ended_them(stream: Stream, take: Take) -> None:
    stream.send("a", "b", "c")
    apply, audit = stream.broker(retain=3600), stream.broker(group="audit", retain=3600)
    first, second, third = take(apply)
    assert bodies(take(audit)[:3]) == ["a", "b", "c"]
    apply.acknowledge([first, second])
    apply.release([(third, 60)])
    apply.tidy()
    assert stream.client.xlen(stream.name) == 3
    stream.advance(LEASE, group="audit")
    audit.acknowledge(take(audit))
    audit.tidy()
    assert stream.client.xlen(stream.name) == 1  # the one that waits for its next attempt
    stream.advance(60)
    apply.acknowledge(take(apply))
    apply.tidy()
    assert stream.client.xlen(stream.name) == 0


def test_what_is_too_old_goes_and_those_that_the_group_had_not_ended_are_counted(
    stream: Stream, take: Take, lost: list[int]
) -> None:
    for number in range(250):
        stream.client.xadd(stream.name, {"body": str(number)}, id=f"5-{number + 1}")
    stream.send("young")
    broker = stream.broker(retain=3600, trimmed=lost.append)
    broker.acknowledge(take(broker, 10))
    take(broker, 20)
    broker.tidy()
    assert sum(lost) == 240
    assert stream.client.xlen(stream.name) == 1
    assert bodies(take(broker)) == ["young"]


def test_the_lag_of_a_group_is_known_after_an_unread_entry_was_deleted(stream: Stream, take: Take) -> None:
    ids = stream.send(*"abcd")
    broker = stream.broker(retain=3600)
    take(broker, 1)
    stream.client.xdel(stream.name, ids[2])
    (group,) = stream.client.xinfo_groups(stream.name)
    assert group["lag"] is None
    lag = broker.lag()
    assert (lag.waiting, lag.leased) == (2, 1)
    assert lag.oldest_age is not None


def test_the_age_of_the_oldest_is_that_of_one_which_waits_for_its_next_attempt(stream: Stream, take: Take) -> None:
    stream.client.xadd(stream.name, {"body": "old"}, id="1700000000000-0")
    broker = stream.broker(retain=10**9)
    stream.send("new")
    first, second = take(broker)
    broker.acknowledge([second])
    broker.release([(first, 600)])
    age = broker.lag().oldest_age
    assert age is not None
    assert age > 10**6
    broker.acknowledge([first])
    assert broker.lag().oldest_age is None


# Consumers


def consumers(stream: Stream) -> int:
    return len(stream.client.xinfo_consumers(stream.name, GROUP))


def test_a_worker_that_stops_leaves_the_group_unless_something_of_its_is_pending(stream: Stream, take: Take) -> None:
    stream.send("a")
    first, second = stream.broker(), stream.broker()
    take(first)
    take(second)
    second.close()
    assert consumers(stream) == 1
    first.close()
    assert (consumers(stream), stream.pending) == (1, 1)


def test_a_dead_consumer_leaves_when_others_have_taken_what_it_had(
    stream: Stream, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_broker, "_DEAD_AFTER", -1)
    stream.send("a")
    dead, alive = stream.broker(), stream.broker()
    take(dead)
    alive.tidy()
    assert consumers(stream) == 1
    stream.advance(LEASE)
    (taken,) = take(alive)
    alive.tidy()
    assert (consumers(stream), stream.pending) == (1, 1)
    alive.acknowledge([taken])
    alive.tidy()
    assert consumers(stream) == 0
    stream.send("b")
    assert bodies(take(alive)) == ["b"]  # a consumer that comes back is made anew


def test_tidying_that_fails_keeps_nobody_from_receiving(
    stream: Stream, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_broker, "_TIDY_SECONDS", -1)
    broker = stream.broker()

    def fail() -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(broker, "tidy", fail)
    stream.send("a")
    assert bodies(take(broker)) == ["a"]


def test_a_dead_letter_that_cannot_be_written_keeps_nobody_from_receiving(stream: Stream, take: Take) -> None:
    stream.send("a", "b")
    broker = stream.broker(max_receive_count=1)
    broker.prepare()
    stream.client.set(stream.settings.dead_letters, "not what it was")
    for _ in range(2):
        assert bodies(take(broker)) == ["a", "b"]
        stream.advance(LEASE)
    (first, _) = take(broker)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        broker.dead_letter([letter(first)])
    stream.client.delete(stream.settings.dead_letters)
    assert broker.dead_letter([letter(first)]) == []
    stream.advance(LEASE)
    assert take(broker) == []
    assert len(stream.letters) == 2

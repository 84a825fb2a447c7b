"""One member of a group, and what others find when it is gone."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery, Lag
from fargate_workers_runtime.brokers.kafka import Bounds
from fargate_workers_runtime.brokers.kafka.commit_metadata import Attempted, Kept, read
from fargate_workers_runtime.brokers.kafka.records import Partition
from fargate_workers_runtime.testing import Clock
from tests.doubles.kafka_group import Group, Member, header
from tests.doubles.kafka_servers import KafkaServer
from tests.patience import PATIENCE

LEASE = 30
MakeGroup = Callable[..., Group]
Eventually = Callable[[Callable[[], object]], None]


def send(group: Group, *keyed: str, partition: int | None = None) -> None:
    """Send records as `key:value`, or without a key."""
    for each in keyed:
        key, colon, value = each.partition(":")
        group.sender.send(value if colon else each, key if colon else None, partition=partition)


def take(member: Member, limit: int = 100) -> dict[str, Delivery]:
    return {each.text: each for each in member.receive(limit, wait=0, lease=LEASE)}


def committed(group: Group) -> list[int]:
    """What is committed of each partition, nothing counted as 0."""
    return [max(0, offset) for offset, _ in group.committed()]


# Commits


def test_the_lowest_record_that_is_not_finished_is_committed(
    server: KafkaServer, make_group: MakeGroup, eventually: Eventually
) -> None:
    group = make_group(server)
    member = group.join()
    send(group, "a:1", "b:2", "c:3", "d:4", partition=0)
    taken = take(member)
    member.acknowledge([taken[value] for value in "134"])
    eventually(lambda: committed(group)[0] == 1)
    member.acknowledge([taken["2"]])
    eventually(lambda: committed(group)[0] == 4)


def test_a_close_commits_what_is_finished_and_leaves_at_once(server: KafkaServer, make_group: MakeGroup) -> None:
    group = make_group(server)
    first = group.join()
    send(group, *(f"k{number}:{number}" for number in range(20)))
    taken = take(first)
    first.acknowledge([taken[str(number)] for number in range(10)])
    first.close()
    first.close()
    second = group.join()
    assert sorted(take(second), key=int) == [str(number) for number in range(10, 20)]


def test_the_commit_of_a_member_that_left_says_so(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1", partition=0)
    take(member)
    assert read(*group.committed()[0]).owned
    member.close()
    assert not read(*group.committed()[0]).owned


def test_acknowledgements_after_a_revoke_are_refused_for_good(server: KafkaServer, make_group: MakeGroup) -> None:
    group = make_group(server)
    first = group.join()
    send(group, *(f"k{number}:{number}" for number in range(40)))
    taken = take(first)
    second = group.join()
    group.settle()
    gone = {each.text for each in second.receive(100, wait=0, lease=LEASE)}
    assert 0 < len(gone) < 40
    deliveries = list(taken.values())
    for failures in (first.extend(deliveries, LEASE), first.acknowledge(deliveries)):
        assert {deliveries[each.index].text for each in failures} == gone
        assert {(each.permanent, each.code) for each in failures} == {(True, "revoked")}
    assert not any(first.attempt_begins(taken[text]) for text in gone)


def test_a_revoke_waits_for_what_has_begun(make_group: MakeGroup, eventually: Eventually) -> None:
    group = make_group()
    first = group.join()
    send(group, *(f"k{number}:{number}" for number in range(40)))
    taken = take(first)
    assert all(first.attempt_begins(each) for each in taken.values())
    joining = threading.Thread(target=group.join)
    joining.start()
    eventually(lambda: first.reader.leaves)  # the second one asks for partitions
    assert first.acknowledge(list(taken.values())) == []
    joining.join(PATIENCE)
    eventually(lambda: sum(committed(group)) == 40)


class Unassigned:
    """A consumer, as far as a revoke needs one."""

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        return offsets

    def incremental_unassign(self, _places: object) -> None:
        """Nothing: no partition is another's in truth."""


def test_an_attempt_and_a_revoke_that_come_together_know_of_each_other(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1")
    taken = take(member)
    (partition,) = [each for each in member.held.partitions.values() if each.records]
    found: list[bool] = []

    class Watched(Partition):
        """A partition that is revoked at the moment at which an attempt looks whether it is."""

        @property
        def leaving(self) -> bool:
            if threading.current_thread() is threading.main_thread():
                found.append(member.held.busy({0: self}))
            return False

        @leaving.setter
        def leaving(self, leaves: bool) -> None: ...

    partition.__class__ = Watched
    assert member.attempt_begins(taken["1"])
    assert found[-1:] == [True]


def test_a_revoke_does_not_wait_for_an_attempt_that_it_keeps_from_beginning(
    make_group: MakeGroup, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.brokers.kafka.reader.REVOKE_SECONDS", PATIENCE)
    monkeypatch.setattr("fargate_workers_runtime.brokers.kafka.commits.Commits.send_when_due", lambda *_: None)
    group = make_group()
    member = group.join()
    send(group, "a:1", partition=0)
    taken = take(member)
    (partition,) = [each for each in member.held.partitions.values() if each.records]
    (record,) = partition.records.values()
    partition.careful_until = 100  # it waits for a commit that does not come
    began: list[bool] = []
    threading.Thread(target=lambda: began.append(member.attempt_begins(taken["1"])), daemon=True).start()
    eventually(lambda: partition.begins == 1)
    places = [TopicPartition(group.topic, partition.number)]
    threading.Thread(target=member.reader.revoked, args=(Unassigned(), places), daemon=True).start()
    eventually(lambda: partition.gone)
    assert began == [False]
    assert record.begun == 0


def test_partitions_that_are_lost_are_forgotten_and_nothing_is_committed(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1", partition=0)
    taken = take(member)
    before = group.committed()
    reader = member.reader
    places = [TopicPartition(group.topic, number) for number in member.positions]

    reader.lost(Unassigned(), places)
    assert member.acknowledge(list(taken.values()))[0].code == "revoked"
    assert group.committed() == before


def test_what_is_finished_above_the_commit_does_not_run_again(make_group: MakeGroup) -> None:
    group = make_group()
    first = group.join()
    send(group, *(f"k{number}:{number}" for number in range(10)), partition=0)
    taken = take(first)
    first.acknowledge([taken[value] for value in "13579"])
    first.close()
    assert committed(group)[0] == 0
    second = group.join()
    send(group, "k:10", partition=0)
    again = take(second)
    assert list(again) == ["0", "2", "4", "6", "8", "10"]
    second.acknowledge([again[value] for value in ("0", "2", "4", "8", "10")])
    second.close()
    assert committed(group)[0] == 6
    third = group.join()
    assert list(take(third)) == ["6"]


# Attempts


def test_attempts_are_kept_for_the_next_owner(make_group: MakeGroup) -> None:
    group = make_group()
    first = group.join()
    send(group, "a:1", "b:2", "c:3", partition=0)
    taken = take(first)
    for _ in range(2):
        assert first.attempt_begins(taken["1"])
        first.attempt_failed(taken["1"])
    assert first.attempt_begins(taken["2"])
    first.release([(taken["2"], 0)])  # no attempt
    first.close()
    again = take(group.join())
    assert [(again[value].begun, again[value].failed) for value in "123"] == [(2, 2), (0, 0), (0, 0)]


def test_a_handler_that_hangs_when_its_process_ends_has_an_attempt_without_an_end(make_group: MakeGroup) -> None:
    group = make_group()
    first = group.join()
    send(group, "a:1", partition=0)
    first.attempt_begins(take(first)["1"])
    first.close()
    (again,) = take(group.join()).values()
    assert (again.begun, again.failed) == (1, 0)


def test_attempts_are_committed_while_the_watermark_stands(make_group: MakeGroup, eventually: Eventually) -> None:
    """A record that fails again and again keeps the watermark; a crash must not lose its count."""
    group = make_group()
    member = group.join()
    send(group, "a:1", partition=0)
    taken = take(member)
    member.attempt_begins(taken["1"])
    member.attempt_failed(taken["1"])
    member.attempt_begins(taken["1"])
    eventually(lambda: read(*group.committed()[0]).attempts == {0: Attempted(2, 1)})


def test_after_an_owner_that_died_an_attempt_is_committed_before_it_begins(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1", "b:2", partition=0)
    taken = take(member)
    (partition,) = [each for each in member.held.partitions.values() if each.records]
    for careful, kept in ((0, {}), (100, {0: Attempted(1, 0), 1: Attempted(1, 0)})):
        partition.careful_until = careful
        assert member.attempt_begins(taken["1" if not careful else "2"])
        assert read(*group.committed()[0]).attempts == kept


def test_an_owner_that_did_not_leave_has_died() -> None:
    for owned in (True, False):
        kept = Kept(owned=owned)
        partition = Partition("orders", 0, assignment=1, committed=40, kept=kept, careful_for=100)
        assert partition.is_careful is owned
        assert partition.careful_until == (140 if owned else 0)


def test_a_delivery_that_has_another_one_begins_nothing(make_group: MakeGroup, clock: Clock) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1")
    old = take(member)["1"]
    clock.advance(LEASE)
    new = take(member)["1"]
    assert not member.attempt_begins(old)
    assert member.attempt_begins(new)
    assert (old.receive_count, new.receive_count) == (1, 2)


# Order


def test_a_failed_record_blocks_its_key_and_no_other(make_group: MakeGroup, clock: Clock) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:a1", "a:a2", "b:b1", "b:b2", partition=0)
    taken = take(member, limit=1)
    member.attempt_begins(taken["a1"])
    member.attempt_failed(taken["a1"])
    member.release([(taken["a1"], 60)])
    others = take(member)
    assert list(others) == ["b1", "b2"]
    member.acknowledge(list(others.values()))
    assert member.observe()["BlockedKeys"] == 1
    clock.advance(60)
    assert list(take(member)) == ["a1", "a2"]


def test_records_without_a_key_keep_the_order_of_their_partition_unless_they_need_not(make_group: MakeGroup) -> None:
    for ordered in (True, False):
        group = make_group(ordered=ordered)
        member = group.join()
        send(group, "1", "2", partition=0)
        send(group, "a:3", "a:4", partition=1)
        groups = {text: each.group_id for text, each in take(member).items()}
        whole = f"{group.topic}/0" if ordered else None
        assert groups == {"1": whole, "2": whole, "3": "a", "4": "a"}
        first = make_group(ordered=ordered)
        other = first.join()
        send(first, "1", "2", partition=0)
        assert len(take(other, limit=1)) == 1
        assert bool(take(other)) is not ordered


# Contents


def test_what_a_record_carries_reaches_the_handler(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    group.sender.send('{"n": 1}', b"\xff\x00", headers=[("trace", b"abc"), ("binary", b"\xff")], partition=2)
    group.sender.send(b"\xff", "b", partition=2)
    group.sender.send(None, "c", partition=2)
    first, broken, deleted = member.receive(10, wait=0, lease=LEASE)
    assert (first.id, first.attributes) == (f"{group.topic}/2/0", {"trace": "abc"})
    assert first.group_id == "\\xff\x00"
    assert first.sent_at is not None
    assert abs(first.sent_at - time.time()) < 60
    with pytest.raises(UnicodeEncodeError):  # which the gate calls poison
        broken.text.encode()
    assert deleted.text == "null"


def test_a_dead_letter_keeps_key_value_and_headers_and_gets_the_reason(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    group.sender.send(
        b"\xff{", b"k\x00", headers=[("trace", b"\xfe"), ("dlq.reason", b"an older one"), ("retry.due", b"1")]
    )
    (delivery,) = member.receive(1, wait=0, lease=LEASE)
    letter = DeadLetter(delivery=delivery, reason="not JSON", detail="line 1 \ud800")
    assert member.dead_letter([letter]) == []
    (record,) = group.letters()
    assert (record.key(), record.value()) == (b"k\x00", b"\xff{")
    assert dict(record.headers()) == {
        "dlq.reason": b"not JSON",
        "dlq.error": b"line 1 \\ud800",
        "dlq.source": group.topic.encode(),
        "dlq.originalMessageId": delivery.id.encode(),
        "dlq.receiveCount": b"1",
        "trace": b"\xfe",
    }
    assert sum(committed(group)) == 0  # until it is acknowledged
    member.acknowledge([delivery])
    member.close()
    assert sum(committed(group)) == 1


def test_a_dead_letter_of_a_record_that_is_gone_is_not_written(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1")
    taken = take(member)["1"]
    member.acknowledge([taken])
    (failure,) = member.dead_letter([DeadLetter(delivery=taken, reason="x")])
    assert failure.permanent
    assert group.letters() == []


def test_without_a_topic_for_dead_letters_there_are_none(make_group: MakeGroup) -> None:
    group = make_group()
    group.settings = replace(group.settings, dead_letter_topic=None)
    member = group.join()
    assert not member.capabilities.dead_letters
    with pytest.raises(ValueError, match="KAFKA_DEAD_LETTER_TOPIC"):
        member.dead_letter([])


# The retry topic


def test_a_failed_record_goes_to_the_retry_topic_and_comes_back_when_it_is_due(
    make_group: MakeGroup, clock: Clock
) -> None:
    group = make_group(retry=True)
    member = group.join()
    assert not member.capabilities.orders_groups
    send(group, "a:a1", "a:a2", partition=0)
    taken = take(member)
    assert list(taken) == ["a1", "a2"]
    member.attempt_begins(taken["a1"])
    member.attempt_failed(taken["a1"])
    assert member.release([(taken["a1"], 300), (taken["a2"], 0)]) == []
    stays = take(member)
    assert list(stays) == ["a2"]  # released without an attempt
    member.acknowledge(list(stays.values()))
    retry = group.settings.retry_topic
    assert retry
    (copy,) = group.server.records(retry, many=1)
    assert (copy.key(), copy.value(), header(copy, "retry.failed")) == (b"a", b"a1", "1")
    while not any(each.topic == retry and each.records for each in list(member.held.partitions.values())):
        time.sleep(0.005)  # a poll's pace
    assert take(member) == {}
    clock.advance(301)
    (again,) = take(member).values()
    assert (again.text, again.id, again.begun, again.failed) == ("a1", taken["a1"].id, 1, 1)


# Room


def test_no_more_is_open_than_the_bound_and_the_thread_polls_on(
    server: KafkaServer, make_group: MakeGroup, eventually: Eventually
) -> None:
    group = make_group(server)
    send(group, *(f"k{number}:{number}" for number in range(300)))
    group.sender.flush()
    member = group.join(bounds=Bounds(records=20))
    seen: list[str] = []
    eventually(lambda: member.reader.paused)
    eventually(lambda: member.lag() == Lag(waiting=300, leased=0))  # what is not fetched counts, too
    while len(seen) < 300:
        assert member.held.open <= 20
        deliveries = member.receive_at_once(10, lease=LEASE)
        seen += [each.text for each in deliveries]
        assert member.acknowledge(deliveries) == []
    assert sorted(seen, key=int) == [str(number) for number in range(300)]


def test_what_arrives_while_there_is_no_room_counts(
    server: KafkaServer, make_group: MakeGroup, eventually: Eventually
) -> None:
    """Else a group whose handlers are slow seems to have caught up with what was sent when it last fetched."""
    group = make_group(server)
    send(group, *(f"k{number}:{number}" for number in range(20)), partition=0)
    group.sender.flush()
    member = group.join(bounds=Bounds(records=10))
    eventually(lambda: member.reader.paused)
    for partition in range(4):
        for value in range(3):
            send(group, f"k{value}:{value}", partition=partition)
            group.sender.flush()  # Tansu names the first record of the last batch as the log's end
    eventually(lambda: member.lag() == Lag(waiting=32, leased=0))


def test_large_records_are_bounded_by_their_bytes(make_group: MakeGroup, eventually: Eventually) -> None:
    group = make_group()
    for number in range(50):
        group.sender.send("x" * 10_000, f"k{number}")
    group.sender.flush()
    member = group.join(bounds=Bounds(records=1000, bytes=100_000))
    eventually(lambda: member.reader.paused or member.held.bytes >= 100_000)
    assert member.held.open >= 10


def test_lag_is_known_after_everything_is_done(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1", "b:2")
    member.acknowledge(list(take(member).values()))
    assert member.lag() == Lag(waiting=0, leased=0)
    assert member.observe() == {"BlockedKeys": 0, "Lag": 0, "OldestAge": 0.0}
    member.close()
    assert member.lag() is None


def test_the_oldest_age_is_that_of_the_lowest_record(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    send(group, "a:1")
    take(member)
    assert 0 <= member.observe()["OldestAge"] < 60


def test_rebalances_are_counted(make_group: MakeGroup) -> None:
    group = make_group()
    counts: list[Any] = []
    group.join(count=counts.append)
    group.settle()
    assert counts == ["Rebalances"]
    group.join()
    group.settle()
    assert set(counts) == {"Rebalances"}


def test_a_commit_that_is_refused_is_counted(make_group: MakeGroup) -> None:
    group = make_group()
    counts: list[Any] = []
    member = group.join(count=counts.append)
    group.settle()
    partition = next(iter(member.held.partitions.values()))
    partition.sent = (5, "")
    member.reader.note_commit(
        KafkaError(KafkaError.ILLEGAL_GENERATION), [TopicPartition(partition.topic, partition.number, 5)]
    )
    assert counts[-1] == "CommitsRefused"
    assert partition.sent is None  # it is committed again


def test_an_error_of_the_cluster_is_raised_by_a_receive_that_brings_nothing(make_group: MakeGroup) -> None:
    group = make_group()
    member = group.join()
    group.settle()
    member.reader.note_error(KafkaError(-187))
    with pytest.raises(ConnectionError, match="_ALL_BROKERS_DOWN"):
        member.receive(1, wait=0, lease=LEASE)
    send(group, "a:1")
    assert list(take(member)) == ["1"]


def test_a_thread_that_has_ended_is_an_error(make_group: MakeGroup) -> None:
    """A worker that receives nothing, and is well, would never be replaced."""
    group = make_group()
    member = group.join()
    group.settle()
    member.reader.close()
    with pytest.raises(ConnectionError, match="has ended"):
        member.receive_at_once(1, lease=LEASE)


def test_a_member_that_leaves_before_it_has_joined_ends(server: KafkaServer, make_group: MakeGroup) -> None:
    """https://github.com/confluentinc/librdkafka/issues/4527"""
    member = make_group(server).join()
    member.close()
    assert not member.reader.alive


def test_the_writer_is_polled_also_while_it_writes_nothing(make_group: MakeGroup, eventually: Eventually) -> None:
    """A client renews its token when it is polled, and not before: confluent-kafka-python#1485."""
    group = make_group()
    member = group.join()
    send(group, "a:{")
    (poison,) = take(member).values()
    member.dead_letter([DeadLetter(delivery=poison, reason="not JSON")])
    polled: list[float] = []

    class Producer:
        def poll(self, seconds: float) -> None:
            polled.append(seconds)

    member.replace_producer(Producer())
    eventually(lambda: len(polled) > 2)
    assert set(polled) == {0}

